"""The generated contracts of one region."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from esi_simulator.market.catalogue import Catalogue
from esi_simulator.market.chance import dice, one_of
from esi_simulator.market.contents import Bundle, bundle, hoard
from esi_simulator.market.contracts import Contract, Row, iso, midnight
from esi_simulator.market.people import Issuer, issuer
from esi_simulator.market.places import Places, location
from esi_simulator.market.schedule import Birth, Schedule
from esi_simulator.market.titles import title

WITHOUT_ITEMS: Final = frozenset({"courier", "loan"})


@dataclass(frozen=True)
class GeneratedRegion:
    """Contracts of one region, made on demand from their birth numbers."""

    schedule: Schedule
    wares: Catalogue
    places: Places
    traders: Sequence[Issuer]

    def alive(self, at: float) -> Iterator[Birth]:
        """Who stands at an instant, ascending by id; dates only, which is cheap."""
        return self.schedule.alive(at)

    def contract(self, birth: Birth) -> Contract:
        """One contract; the same for the same birth, always."""
        return Contract(
            contract_id=birth.contract_id,
            region_id=self.schedule.region_id,
            type=birth.type,
            bundle=self._bundle(dice(self.schedule.seed, self.schedule.region_id, birth.number), birth),
            born=birth.born,
            gone=birth.gone,
            accepted=birth.accepted and birth.gone < birth.expires,
        )

    def row_of(self, birth: Birth) -> Row:
        """A contract's line in the list."""
        held = self.contract(birth).bundle
        rng = dice(self.schedule.seed, birth.contract_id)
        return self._courier(rng, birth) if held is None else self._offer(rng, birth, held)

    def _bundle(self, rng: Random, birth: Birth) -> Bundle | None:
        if birth.type in WITHOUT_ITEMS:
            return None
        if birth.kind is not None:
            return bundle(rng, self.wares, birth.kind)
        return hoard(rng, self.wares) if birth.hoard and birth.type == "item_exchange" else bundle(rng, self.wares)

    def _offer(self, rng: Random, birth: Birth, held: Bundle) -> Row:
        """An exchange or an auction."""
        volume = sum(stack.quantity * stack.ware.volume for stack in held.stacks if not stack.wanted)
        terms: Row = {"price": _asked(held.worth), "reward": 0.0, "collateral": 0.0}
        if birth.type == "auction":
            terms = {"price": _asked(held.worth * 0.7), "reward": 0.0, "buyout": _buyout(rng, held.worth)}
        elif held.kind == "wanted":
            wanted = sum(stack.quantity * stack.ware.value for stack in held.stacks if stack.wanted)
            terms |= {"price": 0.0, "reward": _asked(wanted * rng.uniform(0.7, 1.0))}
        here = location(rng, self.places)
        return self._row(rng, birth, start=here, end=here, days=0, title=title(rng, held), volume=volume, **terms)

    def _courier(self, rng: Random, birth: Birth) -> Row:
        start, end = rng.sample(self.places.stations, 2)
        volume = round(rng.lognormvariate(9, 1.5), 2)
        reward, collateral = _asked(volume * rng.uniform(300, 900)), _asked(rng.lognormvariate(19, 1.5))
        terms = {"price": 0.0, "reward": reward, "collateral": collateral}
        days = one_of(rng, (1, 3, 7, 14))
        return self._row(rng, birth, start=start, end=end, days=days, title="", volume=volume, **terms)

    def _row(
        self, rng: Random, birth: Birth, *, start: int, end: int, days: int, title: str, volume: float, **terms: float
    ) -> Row:
        trader = issuer(rng, self.traders)
        row: Row = {
            "contract_id": birth.contract_id,
            "date_expired": iso(birth.expires),
            "date_issued": iso(midnight(birth.born) if birth.type == "auction" else birth.born),
            "days_to_complete": days,
            "end_location_id": end,
            "issuer_corporation_id": trader.corporation_id,
            "issuer_id": trader.character_id,
            "start_location_id": start,
            "title": title,
            "type": birth.type,
            "volume": volume,
            **terms,
        }
        if rng.random() < 0.199:  # noqa: PLR2004 - 199 of 1,000 recorded
            row["for_corporation"] = True
        return row


def _asked(worth: float) -> float:
    """People ask round numbers: three significant figures."""
    return float(f"{max(worth, 1000.0):.3g}")


def _buyout(rng: Random, worth: float) -> float:
    """0.0 where the auction has none."""
    return _asked(worth * rng.uniform(1.0, 1.6)) if rng.random() < 0.7 else 0.0  # noqa: PLR2004 - most have one
