"""The market as it stands now: the pure one, under the simulator's clock, with what tests did to it."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from esi_simulator.census import Census
from esi_simulator.clock import SimulatedClock
from esi_simulator.downtime import Downtime
from esi_simulator.listings import Listings
from esi_simulator.market.contracts import Contract, Row
from esi_simulator.market.market import Market
from esi_simulator.market.schedule import Birth

MOST_KEPT: Final = 8
"""Lists of ids that are kept."""


MOST_BIRTHS: Final = 100_000
"""Contracts whose dates are kept; they never change."""


class Fate(Enum):
    """Where a contract is in its life, and what its items route says of an ended one."""

    STANDING = "standing"
    ACCEPTED = "accepted"
    DELETED = "deleted"
    EXPIRED = "expired"
    NOT_PUBLIC = "not_public"
    EMPTY = "empty"


@dataclass
class World:
    """Joins market and clock; holds what is no function of the two: frost, contracts that vanished or were added."""

    market: Market
    clock: SimulatedClock
    downtime: Downtime
    listings: Listings
    vanished: dict[int, tuple[float, Fate]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start = self.clock.now()
        self._census = Census(self.market)
        self._frosts: list[tuple[float, float | None]] = []
        self._ids: dict[tuple[int, float], list[int]] = {}
        self._births: dict[int, Birth | None] = {}

    @property
    def frozen(self) -> bool:
        return bool(self._frosts) and self._frosts[-1][1] is not None

    def market_now(self) -> float:
        """The instant the market lives in: the clock's, or the one it was frozen at."""
        return self.market_at(self.clock.now())

    def market_at(self, at: float) -> float:
        """The instant the market lived in at an instant of the clock; it stands still while the cluster is down."""
        for since, frozen_at in reversed(self._frosts):
            if since <= at:
                return self.downtime.before(at) if frozen_at is None else frozen_at
        return self.downtime.before(at)

    def freeze(self, *, frozen: bool) -> None:
        """Stop births, deaths and bids while the clock runs on; or let them catch up with it."""
        since = float(
            int(self.clock.now())
        )  # whole seconds, as pages are dated: a page made now is of the frozen market
        self._frosts.append((since, self.market_at(since) if frozen else None))
        self._ids.clear()

    def vanish(self, contract_ids: list[int], fate: Fate | None) -> list[int]:
        """End these contracts now, as `fate` or as they would have ended; those that stood are returned."""
        standing = [contract_id for contract_id in contract_ids if self.life(contract_id)[1] is Fate.STANDING]
        now = float(int(self.clock.now()))
        for contract_id in standing:
            self.vanished[contract_id] = (now, fate or _natural(self.birth(contract_id)))
        self._ids.clear()
        return standing

    def add(self, region_id: int, count: int, *, contract_type: str, kind: str | None) -> list[int]:
        """Put so many new contracts on a region's market, now; their ids."""
        added = self.listings.add(region_id, count, int(self.clock.now()), contract_type=contract_type, kind=kind)
        self._ids.clear()
        return added

    def ids(self, region_id: int, at: float | None = None) -> list[int]:
        """What stands in a region at an instant of the clock, or now, ascending."""
        instant = self.clock.now() if at is None else at
        key = (region_id, instant)
        if key not in self._ids:
            if len(self._ids) >= MOST_KEPT:
                del self._ids[next(iter(self._ids))]
            self._ids[key] = self._standing(region_id, instant)
        return self._ids[key]

    def birth(self, contract_id: int) -> Birth | None:
        """A contract's dates, past or future; nothing where that id never lives."""
        if contract_id in self.listings:
            return self.listings.birth(contract_id)
        if contract_id not in self._births:
            if len(self._births) >= MOST_BIRTHS:
                self._births.clear()
            self._births[contract_id] = self.market.birth(contract_id)
        return self._births[contract_id]

    def contract(self, contract_id: int) -> Contract | None:
        """A contract and what it holds, past or future; nothing where that id never lives."""
        if contract_id in self.listings:
            return self.listings.contract(contract_id)
        birth = self.birth(contract_id)
        return None if birth is None else self.market.contract(birth)

    def row(self, contract_id: int) -> Row | None:
        """A contract's line in the list; an auction's has the instant it really ends at."""
        return self.listings.row(contract_id) or self.market.row(contract_id)

    def life(self, contract_id: int, at: float | None = None) -> tuple[Birth | None, Fate]:
        """A contract's dates and where it is in its life; nothing, and deleted, where there is none or not yet."""
        instant = self.clock.now() if at is None else at
        birth = self.birth(contract_id)
        lives_at = instant if contract_id in self.listings else self.market_at(instant)
        if birth is None or birth.born > lives_at:
            return None, Fate.DELETED
        since, fate = self.vanished.get(contract_id, (0.0, Fate.STANDING))
        if fate is not Fate.STANDING and since <= instant:
            return birth, fate
        return birth, Fate.STANDING if lives_at < birth.gone else _natural(birth)

    def ended(self, region_id: int, at: float) -> list[int]:
        """Who stood in a region since the simulator's start and does so no more, ascending."""
        first, last = self.market_at(self.start), self.market_at(at)
        known = self.market.standing(region_id, first) + self.market.arrived(region_id, first, last)
        listed = [one.contract_id for one in self.listings.of_region(region_id) if one.born <= at]
        return sorted({*(contract_id for contract_id, _ in known), *listed} - set(self.ids(region_id, at)))

    def _standing(self, region_id: int, at: float) -> list[int]:
        found = [contract_id for contract_id, _ in self._census.standing(region_id, self.market_at(at))]
        listed = [one.contract_id for one in self.listings.of_region(region_id) if one.born <= at < one.gone]
        if listed:
            found = sorted(found + listed)
        if not self.vanished:
            return found
        return [one for one in found if one not in self.vanished or self.vanished[one][0] > at]


def _natural(birth: Birth | None) -> Fate:
    """How a contract ends that nobody interferes with."""
    if birth is None:
        return Fate.DELETED
    if birth.gone >= birth.expires:
        return Fate.EXPIRED
    return Fate.ACCEPTED if birth.accepted else Fate.DELETED
