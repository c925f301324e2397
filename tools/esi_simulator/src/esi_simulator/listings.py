"""Contracts that tests put on the market on top of those that are born by themselves."""

from collections.abc import Iterator

from esi_simulator.market.contracts import DAY, Contract, Row
from esi_simulator.market.market import Market
from esi_simulator.market.schedule import EPOCH, ID_AT_EPOCH, LONGEST, Birth


class Listings:
    """They live by the clock, frozen or not, until they expire; their ids are newer than all that stand."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._births: dict[int, Birth] = {}
        self._regions: dict[int, int] = {}
        self._of_region: dict[int, list[Birth]] = {}

    def __contains__(self, contract_id: int) -> bool:
        return contract_id in self._births

    def add(self, region_id: int, count: int, now: int, *, contract_type: str, kind: str | None) -> list[int]:
        """So many contracts, born now; raises `ValueError` for a region without market."""
        if region_id not in self._market.regions:
            raise ValueError(f"region {region_id} has no market; ESI_SIM_EXTRA_REGIONS gives it one")
        added: list[int] = []
        for contract_id in self._unused(now):
            if len(added) == count:
                break
            expires = now + (14 * DAY if contract_type == "auction" else LONGEST)
            birth = Birth(contract_id, contract_id, contract_type, now, expires, expires, False, False, kind)  # noqa: FBT003 - neither accepted nor a hoard by luck
            self._births[contract_id] = birth
            self._regions[contract_id] = region_id
            self._of_region.setdefault(region_id, []).append(birth)
            added.append(contract_id)
        return added

    def birth(self, contract_id: int) -> Birth | None:
        return self._births.get(contract_id)

    def of_region(self, region_id: int) -> list[Birth]:
        """All that were ever added to a region, ascending by id."""
        return self._of_region.get(region_id, [])

    def contract(self, contract_id: int) -> Contract | None:
        birth = self._births.get(contract_id)
        return None if birth is None else self._market.regions[self._regions[contract_id]].contract(birth)

    def row(self, contract_id: int) -> Row | None:
        birth = self._births.get(contract_id)
        return None if birth is None else self._market.regions[self._regions[contract_id]].row_of(birth)

    def _unused(self, now: int) -> Iterator[int]:
        """Ids that nobody has or will be born with, from the present one up."""
        wanted = max(ID_AT_EPOCH + now - EPOCH, max(self._births, default=0)) + 1
        while True:
            if self._market.birth(wanted) is None:
                yield wanted
            wanted += 1
