"""All regions together: the whole market at any instant, as a pure function of the seed, the sizes and that instant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from esi_simulator.market.catalogue import Catalogue
from esi_simulator.market.chance import dice
from esi_simulator.market.contracts import Contract, Row, bids
from esi_simulator.market.people import issuers
from esi_simulator.market.places import DOMAIN, Places
from esi_simulator.market.recorded import Recorded, moved, recorded_contract, shift
from esi_simulator.market.region import GeneratedRegion
from esi_simulator.market.schedule import Birth, Schedule, turn_of

Standing = tuple[int, float]
"""A contract's id and the instant it ends at."""


@dataclass(frozen=True)
class Market:
    """Contracts by region and by id; `recorded` are those of the recording."""

    seed: int
    wares: Catalogue
    regions: Mapping[int, GeneratedRegion]
    recorded: Mapping[int, Recorded]

    def ids(self, region_id: int, at: float) -> list[int]:
        """What stands in a region at an instant, ascending; nothing where no market is."""
        return [contract_id for contract_id, _ in self.standing(region_id, at)]

    def standing(self, region_id: int, at: float) -> list[Standing]:
        """The same with the instants they end at."""
        recorded = [one for one in self._recorded(region_id) if one.born <= at < one.gone]
        found = [(one.row["contract_id"], float(one.gone)) for one in recorded]
        region = self.regions.get(region_id)
        return sorted(found + [(birth.contract_id, birth.gone) for birth in region.alive(at)]) if region else found

    def arrived(self, region_id: int, after: float, until: float) -> list[Standing]:
        """Who came later than `after` and not later than `until`, ascending, dead or alive by then."""
        recorded = [one for one in self._recorded(region_id) if after < one.born <= until]
        found = [(one.row["contract_id"], float(one.gone)) for one in recorded]
        region = self.regions.get(region_id)
        births = region.schedule.born_between(after, until) if region else ()
        return found + [(birth.contract_id, birth.gone) for birth in births]

    def birth(self, contract_id: int) -> Birth | None:
        """When a contract lives, past or future; None where that id never does."""
        if contract_id in self.recorded:
            return self.recorded[contract_id].birth()
        return self._region_of(contract_id).schedule.find(contract_id) if self._turns else None

    def find(self, contract_id: int) -> Contract | None:
        """A contract that lives at some time, past or future; None where that id never does."""
        birth = self.birth(contract_id)
        return None if birth is None else self.contract(birth)

    def contract(self, birth: Birth) -> Contract:
        """What was born then, with all that it holds."""
        if birth.contract_id in self.recorded:
            return recorded_contract(self.seed, self.wares, self.recorded[birth.contract_id])
        return self._region_of(birth.contract_id).contract(birth)

    def row(self, contract_id: int) -> Row | None:
        """A contract's line in the list; None where that id never lives."""
        if contract_id in self.recorded:
            return self.recorded[contract_id].row
        birth = self.birth(contract_id)
        return None if birth is None else self._region_of(contract_id).row_of(birth)

    def bids(self, birth: Birth, row: Row, at: float) -> list[Row]:
        """The bids that an auction has at an instant; none on anything else."""
        if birth.type != "auction":
            return []
        return list(bids(birth, row, dice(self.seed, birth.contract_id, 3), at))

    @cached_property
    def _turns(self) -> tuple[GeneratedRegion, ...]:
        return tuple(self.regions.values())

    def _region_of(self, contract_id: int) -> GeneratedRegion:
        return self._turns[turn_of(contract_id, len(self._turns))]

    def _recorded(self, region_id: int) -> Iterable[Recorded]:
        return self.recorded.values() if region_id == DOMAIN else ()


def build_market(
    *,
    seed: int,
    sizes: Mapping[int, int],
    wares: Catalogue,
    places: Mapping[int, Places],
    recording: Iterable[Recorded],
    start: float,
) -> Market:
    """The market of these regions with these populations; the recording is moved to `start`."""
    regions = {
        region_id: GeneratedRegion(
            Schedule(seed, region_id, size, turn, len(sizes)), wares, places[region_id], issuers(seed, region_id, size)
        )
        for turn, (region_id, size) in enumerate(sizes.items())
    }
    recorded = {one.row["contract_id"]: one for one in moved(recording, shift(start))}
    return Market(seed, wares, regions, recorded)
