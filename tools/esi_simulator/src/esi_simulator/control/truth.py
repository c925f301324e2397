from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from esi_simulator.exchange import Request
from esi_simulator.holdings import Holdings
from esi_simulator.lists import Lists
from esi_simulator.market.contracts import iso
from esi_simulator.routes.contracts import ContractRoutes
from esi_simulator.world import World


class Truth:
    """What is so, whatever the routes say of it."""

    def __init__(self, world: World, lists: Lists, holdings: Holdings, contracts: ContractRoutes) -> None:
        self._world = world
        self._lists = lists
        self._holdings = holdings
        self._contracts = contracts

    def of(self, region_id: int, request: Request) -> dict[str, Any]:
        """All of a region that was asked for in the query; of another instant with `at=`, which touches no cache."""
        text = request.parameter("at")
        at = self._world.clock.now() if text is None else datetime.fromisoformat(text.replace(" ", "+")).timestamp()
        live = self._world.ids(region_id, at)
        found: dict[str, Any] = {"region_id": region_id, "at": iso(at), "live": live}
        ids = set(live)
        if text is None:
            found |= self._served(region_id)
            ids |= {row["contract_id"] for row in found["listed"]}
        return found | self._asked_for(request, region_id, at, live, sorted(ids))

    def _asked_for(
        self, request: Request, region_id: int, at: float, live: list[int], ids: list[int]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if request.parameter("rows") == "1":
            found["rows"] = [self._world.row(contract_id) for contract_id in live]
        if request.parameter("items") == "1":
            found["items"] = {str(contract_id): self._holdings.rows(contract_id) for contract_id in ids}
        if request.parameter("bids") == "1":
            found["bids"] = self._bids(live, self._world.market_at(at))
        if request.parameter("dynamic") == "1":
            found["dynamic"] = [roll for contract_id in ids for roll in self._holdings.rolls(contract_id)]
        if request.parameter("gone") == "1":
            found["gone"] = self._gone(region_id, at)
        return found

    def _served(self, region_id: int) -> dict[str, Any]:
        """The rows of all pages as a sweep would read them now, which may be sheared; dates of the first page."""
        first, _ = self._lists.page(region_id, 1)
        pages = [first, *(self._lists.page(region_id, number)[0] for number in range(2, first.pages + 1))]
        return {
            "last_modified": iso(first.modified),
            "expires": iso(first.expires),
            "pages": first.pages,
            "listed": [row for page in pages for row in orjson.loads(page.document.body)],
        }

    def _bids(self, contract_ids: Iterable[int], at: float) -> dict[str, list[dict[str, Any]]]:
        """Of all auctions."""
        births = (self._world.birth(contract_id) for contract_id in contract_ids)
        return {
            str(birth.contract_id): self._contracts.bids_at(birth, at)
            for birth in births
            if birth is not None and birth.type == "auction"
        }

    def _gone(self, region_id: int, at: float) -> dict[str, dict[str, str]]:
        """How and when those ended that stood since the simulator's start."""
        found = {}
        for contract_id in self._world.ended(region_id, at):
            birth, fate = self._world.life(contract_id, at)
            if birth is not None:
                since = self._world.vanished.get(contract_id, (birth.gone, fate))[0]
                found[str(contract_id)] = {"outcome": fate.value, "gone_at": iso(min(since, birth.gone))}
        return found
