from typing import Any, Final

from esi_simulator.errors import EsiError, no_such_page, not_found
from esi_simulator.exchange import Document, Reply, Request, to_json
from esi_simulator.lists import PAGE_SIZE, Lists
from esi_simulator.market.contracts import Contract
from esi_simulator.world import Fate, World

ITEMS_TTL: Final = 3600
BIDS_TTL: Final = 300
NOTHING: Final = Document(b"")


class ContractRoutes:
    """The public contract routes."""

    def __init__(self, world: World, lists: Lists, region_ids: frozenset[int]) -> None:
        self._world = world
        self._lists = lists
        self._region_ids = region_ids

    def contracts(self, request: Request, region_id: int) -> Reply:
        """A page of a region's list; every region has one, most are empty."""
        if region_id not in self._region_ids:
            raise not_found("Region")
        generation = self._lists.generation(region_id)
        document, fresh = generation.page(request.page())
        return Reply(200, document, generation.modified, generation.expires, generation.pages, fresh)

    def items(self, request: Request, contract_id: int) -> Reply:
        """What a standing contract holds: 204 for couriers; 403 or 404 once it is gone, as its end was."""
        contract = self._standing(contract_id)
        modified = self._modified(contract, ITEMS_TTL)
        if contract.bundle is None:
            return Reply(204, NOTHING, modified, modified + ITEMS_TTL)
        return _rows(request, contract.items(), modified, ITEMS_TTL)

    def bids(self, request: Request, contract_id: int) -> Reply:
        """The bids of a standing auction, as of the cached instant; 404 for anything else."""
        contract = self._standing(contract_id)
        if contract.type != "auction":
            raise not_found("Contract")
        modified = self._modified(contract, BIDS_TTL)
        bids = self._world.market.bids(contract, min(modified, self._world.market_now()))
        return _rows(request, bids, modified, BIDS_TTL)

    def _standing(self, contract_id: int) -> Contract:
        contract, fate = self._world.find(contract_id)
        if fate is Fate.ACCEPTED:
            raise EsiError(403, "Contract accepted by player, requires authorization")
        if contract is None or fate is Fate.DELETED:
            raise not_found("Contract")
        return contract

    def _modified(self, contract: Contract, ttl: int) -> int:
        """When this contract's rows were cached: its own phase of the TTL, and never before it was there."""
        now = int(self._world.clock.now())
        return max(now - (now + contract.contract_id * 7) % ttl, min(int(contract.born), now))


def _rows(request: Request, rows: list[dict[str, Any]], modified: int, ttl: int) -> Reply:
    number = request.page()
    pages = max(1, -(-len(rows) // PAGE_SIZE))
    if number > pages:
        raise no_such_page()
    document = Document(to_json(rows[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]))
    return Reply(200, document, modified, modified + ttl, pages)
