"""The routes under /_simulator/: what a test uses to see the truth and to make things happen. Not a part of ESI."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson

from esi_simulator.errors import EsiError, not_found
from esi_simulator.exchange import Document, Reply, Request, to_json
from esi_simulator.faults import Faults
from esi_simulator.lists import Lists
from esi_simulator.market.contracts import iso
from esi_simulator.world import Fate, World

PREFIX = "_simulator"

Wish = dict[str, Any]
Sight = Callable[[], Any]


class Stats:
    """Requests counted by kind of route and status."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()

    def count(self, kind: str, status: int) -> None:
        self._counts[kind, status] += 1

    def by_route(self) -> dict[str, dict[str, int]]:
        """For example {"items": {"200": 1999, "404": 1}}."""
        routes: dict[str, dict[str, int]] = {}
        for (kind, status), count in sorted(self._counts.items()):
            routes.setdefault(kind, {})[str(status)] = count
        return routes


class Control:
    """Every control route; they are never counted, delayed or made to fail."""

    def __init__(self, world: World, lists: Lists, faults: Faults, stats: Stats) -> None:
        self._world = world
        self._lists = lists
        self._faults = faults
        self._stats = stats
        self._sights: dict[str, Sight] = {
            "clock": self._clock,
            "faults": self._trouble,
            "regions": self._regions,
            "stats": self._requests,
        }
        self._wishes: dict[str, Callable[[Wish], Any]] = {
            "clock": self._move_clock,
            "faults": self._add_fault,
            "freeze": self._freeze,
            "vanish": self._vanish,
        }

    def answer(self, request: Request) -> Reply:
        """Do what is asked and say what came of it; 400 names what is wrong with a wish, 404 what there is not."""
        try:
            return Reply(200, Document(to_json(self._do(request))))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EsiError(400, f"Unusable request: {error!r}") from error

    def _do(self, request: Request) -> Any:
        subject, *rest = request.parts[1:] or ("",)
        if request.method == "GET" and subject == "truth" and len(rest) == 1:
            return self._truth(int(rest[0]), with_items="items=1" in request.query)
        if request.method == "GET" and subject in self._sights:
            return self._sights[subject]()
        if request.method == "POST" and subject in self._wishes:
            return self._wishes[subject](orjson.loads(request.body or b"{}"))
        raise not_found(f"Control route {request.method} /{'/'.join(request.parts)}")

    def _truth(self, region_id: int, *, with_items: bool) -> dict[str, Any]:
        generation = self._lists.generation(region_id)
        truth = {
            "region_id": region_id,
            "last_modified": iso(generation.modified),
            "expires": iso(generation.expires),
            "pages": generation.pages,
            "listed": [orjson.loads(row) for row in generation.rows.values()],
            "live": self._world.ids(region_id),
        }
        return truth | {"items": self._items(list(generation.rows))} if with_items else truth

    def _items(self, contract_ids: list[int]) -> dict[str, list[dict[str, Any]]]:
        """Of all listed contracts, also of those that are gone by now; couriers hold nothing."""
        contracts = (self._world.market.find(contract_id) for contract_id in contract_ids)
        return {str(contract.contract_id): contract.items() for contract in contracts if contract is not None}

    def _regions(self) -> list[dict[str, Any]]:
        return [
            {"region_id": region_id, "live": len(self._world.ids(region_id))}
            for region_id in self._world.market.regions
        ]

    def _requests(self) -> dict[str, Any]:
        routes = self._stats.by_route()
        return {"requests": routes, "total": sum(sum(statuses.values()) for statuses in routes.values())}

    def _clock(self) -> dict[str, Any]:
        now = self._world.clock.now()
        return {"now": iso(now), "epoch": now, "frozen": self._world.frozen}

    def _move_clock(self, wish: Wish) -> dict[str, Any]:
        if "speed" in wish:
            self._world.clock.run_at(_at_least_zero(wish["speed"]))
        self._world.clock.advance(_at_least_zero(wish.get("advance", 0)))
        return self._clock()

    def _freeze(self, wish: Wish) -> dict[str, Any]:
        self._world.freeze(frozen=bool(wish["frozen"]))
        return self._clock()

    def _vanish(self, wish: Wish) -> dict[str, Any]:
        outcome = wish.get("outcome")
        ids = [int(one) for one in wish["contract_ids"]]
        return {"vanished": self._world.vanish(ids, None if outcome is None else _end(outcome))}

    def _trouble(self) -> dict[str, Any]:
        return {"waiting": self._faults.waiting(), "down": self._faults.down}

    def _add_fault(self, wish: Wish) -> dict[str, Any]:
        if wish.get("clear"):
            self._faults.clear()
        elif "down" in wish:
            self._faults.down = bool(wish["down"])
        else:
            self._faults.add(wish)
        return self._trouble()


def _at_least_zero(number: Any) -> float:
    if not float(number) >= 0:
        raise ValueError("time only goes on")
    return float(number)


def _end(outcome: str) -> Fate:
    if outcome == Fate.STANDING.value:
        raise ValueError("outcome is accepted or deleted")
    return Fate(outcome)
