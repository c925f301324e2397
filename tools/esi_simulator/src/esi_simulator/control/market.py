from datetime import datetime
from typing import Any

from esi_simulator.control.dispatch import Action, Sight, Wish
from esi_simulator.holdings import Holdings
from esi_simulator.lists import Lists
from esi_simulator.market.contents import KINDS
from esi_simulator.market.contracts import iso
from esi_simulator.world import Fate, World

TYPES = frozenset({"item_exchange", "auction", "courier", "loan"})


class MarketControl:
    """Time, and what happens on the market."""

    def __init__(self, world: World, lists: Lists, holdings: Holdings) -> None:
        self._world = world
        self._lists = lists
        self._holdings = holdings
        self.sights: dict[str, Sight] = {"clock": self._clock, "regions": self._regions}
        self.actions: dict[str, Action] = {
            "clock": self._move_clock,
            "freeze": self._freeze,
            "vanish": self._vanish,
            "list": self._list,
            "warm": self._warm,
        }

    def _regions(self) -> list[dict[str, Any]]:
        return [
            {"region_id": region_id, "live": len(self._world.ids(region_id))}
            for region_id in self._world.market.regions
        ]

    def _clock(self) -> dict[str, Any]:
        now = self._world.clock.now()
        return {"now": iso(now), "epoch": now, "frozen": self._world.frozen}

    def _move_clock(self, wish: Wish) -> dict[str, Any]:
        if "speed" in wish:
            self._world.clock.run_at(_at_least_zero(wish["speed"]))
        if "set" in wish:
            self._world.clock.set(datetime.fromisoformat(wish["set"]).timestamp())
        self._world.clock.advance(_at_least_zero(wish.get("advance", 0)))
        return self._clock()

    def _freeze(self, wish: Wish) -> dict[str, Any]:
        self._world.freeze(frozen=bool(wish["frozen"]))
        return self._clock()

    def _vanish(self, wish: Wish) -> dict[str, Any]:
        outcome = wish.get("outcome")
        ids = [int(one) for one in wish["contract_ids"]]
        return {"vanished": self._world.vanish(ids, None if outcome is None else _end(outcome))}

    def _list(self, wish: Wish) -> dict[str, Any]:
        """New contracts, and the instant from which the page of the last of them can be read."""
        region_id, contract_type = int(wish["region_id"]), str(wish.get("type", "item_exchange"))
        kind = wish.get("kind")
        if contract_type not in TYPES or not (kind is None or kind in KINDS):
            raise ValueError(f"type is one of {sorted(TYPES)}, kind one of {sorted(KINDS)}")
        ids = self._world.add(region_id, int(wish.get("count", 1)), contract_type=contract_type, kind=kind)
        readable = max((self._lists.readable_from(region_id, one) for one in ids[-1:]), default=0.0)
        return {"contract_ids": ids, "readable_at": iso(readable), "readable_epoch": readable}

    def _warm(self, wish: Wish) -> dict[str, Any]:
        """Make all bytes of some regions now, so that a benchmark measures the client and not this process."""
        regions = [int(one) for one in wish.get("region_ids", self._world.market.regions)]
        for region_id in regions:
            first, _ = self._lists.page(region_id, 1)
            for number in range(1, first.pages + 1):
                page, _ = self._lists.page(region_id, number)
                page.document.packed()
            for contract_id in self._world.ids(region_id):
                self._holdings.documents(contract_id)
        return {"region_ids": regions}


def _at_least_zero(number: Any) -> float:
    if not float(number) >= 0:
        raise ValueError("time only goes on")
    return float(number)


def _end(outcome: str) -> Fate:
    if outcome == Fate.STANDING.value:
        raise ValueError("an outcome is an end")
    return Fate(outcome)
