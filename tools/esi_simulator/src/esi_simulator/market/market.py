"""All regions together: the whole market at any instant, as a pure function of the seed, the sizes and that instant."""

from collections.abc import Mapping
from dataclasses import dataclass

from esi_simulator.market.catalogue import Catalogue
from esi_simulator.market.chance import dice
from esi_simulator.market.contracts import Contract, Row, bids, iso
from esi_simulator.market.people import issuers
from esi_simulator.market.places import DOMAIN, Places
from esi_simulator.market.recorded import moved_rows, recorded_contract, shift
from esi_simulator.market.region import GeneratedRegion
from esi_simulator.market.schedule import Schedule, turn_of


@dataclass(frozen=True)
class Market:
    """Contracts by region and by id; the rows are those of the recording, by id."""

    seed: int
    wares: Catalogue
    regions: Mapping[int, GeneratedRegion]
    recorded: Mapping[int, Row]

    def ids(self, region_id: int, at: float) -> list[int]:
        """What stands in a region at an instant, ascending; nothing where no market is."""
        recorded = self._recorded_at(at) if region_id == DOMAIN else []
        region = self.regions.get(region_id)
        return sorted(recorded + [birth.contract_id for birth in region.alive(at)]) if region else recorded

    def find(self, contract_id: int) -> Contract | None:
        """A contract that lives at some time, past or future; None where that id never does."""
        if contract_id in self.recorded:
            return recorded_contract(self.seed, self.wares, self.recorded[contract_id])
        return self._generated(contract_id).find(contract_id)

    def row(self, contract_id: int) -> Row | None:
        """A contract's line in the list; None where that id never lives."""
        return self.recorded.get(contract_id) or self._generated(contract_id).row(contract_id)

    def bids(self, contract: Contract, at: float) -> list[Row]:
        """The bids that an auction has at an instant; none on anything else."""
        row = self.row(contract.contract_id)
        if row is None or contract.type != "auction":
            return []
        return list(bids(contract, row, dice(self.seed, contract.contract_id, 3), at))

    def _generated(self, contract_id: int) -> GeneratedRegion:
        regions = tuple(self.regions.values())
        return regions[turn_of(contract_id, len(regions))]

    def _recorded_at(self, at: float) -> list[int]:
        now = iso(at)
        return [one for one, row in self.recorded.items() if row["date_issued"] <= now < row["date_expired"]]


def build_market(
    *, seed: int, sizes: Mapping[int, int], wares: Catalogue, places: Mapping[int, Places], start: float
) -> Market:
    """The market of these regions with these populations; the recording is moved to `start`."""
    regions = {
        region_id: GeneratedRegion(
            Schedule(seed, region_id, size, turn, len(sizes)), wares, places[region_id], issuers(seed, region_id, size)
        )
        for turn, (region_id, size) in enumerate(sizes.items())
    }
    return Market(seed, wares, regions, {row["contract_id"]: row for row in moved_rows(shift(start))})
