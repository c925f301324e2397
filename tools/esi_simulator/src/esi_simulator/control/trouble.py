from typing import Any

from esi_simulator.control.dispatch import Action, Sight, Wish
from esi_simulator.limits.buckets import Bucket
from esi_simulator.limits.gates import Gates
from esi_simulator.lists import Lists
from esi_simulator.routes.contracts import ContractRoutes
from esi_simulator.stats import Stats
from esi_simulator.trouble.faults import Faults
from esi_simulator.trouble.flaky import Flaky
from esi_simulator.trouble.storm import Storm

CONTRACT_KINDS = ("contracts", "items", "bids")


class TroubleControl:
    """What goes wrong, and what was asked."""

    def __init__(
        self,
        *,
        gates: Gates,
        lists: Lists,
        contracts: ContractRoutes,
        faults: Faults,
        flaky: Flaky,
        storm: Storm,
        stats: Stats,
    ) -> None:
        self._gates = gates
        self._lists = lists
        self._contracts = contracts
        self._faults = faults
        self._flaky = flaky
        self._storm = storm
        self._stats = stats
        self.sights: dict[str, Sight] = {"faults": self._trouble, "stats": stats.counted}
        self.actions: dict[str, Action] = {
            "faults": self._add_fault,
            "flaky": self._add_flake,
            "shear": self._shear,
            "lists": self._odd_lists,
            "items": self._odd_items,
            "errors": self._errors,
            "buckets": self._buckets,
            "downtime": self._downtime,
            "storm": self._weather,
            "stats": self._count_anew,
        }

    def _trouble(self) -> dict[str, Any]:
        return {
            "waiting": self._faults.waiting(),
            "down": self._faults.down,
            "flaky": self._flaky.orders(),
            "storm": self._storm.raging,
        }

    def _add_fault(self, wish: Wish) -> dict[str, Any]:
        if wish.get("clear"):
            self._calm()
        elif "down" in wish:
            self._faults.down = bool(wish["down"])
        else:
            self._faults.add(wish)
        return self._trouble()

    def _calm(self) -> None:
        """Everything is as usual again, but for errors already spent."""
        self._faults.clear()
        self._flaky.clear()
        self._storm.end()
        self._lists.as_usual()
        self._contracts.as_usual()
        self._gates.downtime.as_usual()
        self._gates.buckets.as_usual()
        self._gates.stale_limits = False

    def _add_flake(self, wish: Wish) -> dict[str, Any]:
        self._flaky.add(wish)
        return self._trouble()

    def _shear(self, wish: Wish) -> dict[str, Any]:
        region_id = int(wish["region_id"])
        if "pages" in wish:
            self._lists.expire(region_id, [int(one) for one in wish["pages"]])
        else:
            self._lists.straddle(region_id, float(wish.get("step", 1)))
        return {"region_id": region_id}

    def _odd_lists(self, wish: Wish) -> dict[str, Any]:
        self._lists.late = float(wish.get("late", self._lists.late))
        self._lists.past_end = int(wish.get("past_end", self._lists.past_end))
        return {"late": self._lists.late, "past_end": self._lists.past_end}

    def _odd_items(self, wish: Wish) -> dict[str, Any]:
        contracts = self._contracts
        contracts.lingering = bool(wish.get("lingering", contracts.lingering))
        contracts.mixed_ends = bool(wish.get("mixed_ends", contracts.mixed_ends))
        contracts.without_items = int(wish.get("without_items", contracts.without_items))
        return {"lingering": contracts.lingering, "mixed_ends": contracts.mixed_ends}

    def _errors(self, wish: Wish) -> dict[str, Any]:
        """Errors of another program at this address; and whether cached answers repeat old limits."""
        now = self._gates.clock.now()
        self._gates.window.spend(int(wish.get("spend", 0)), now)
        self._gates.stale_limits = bool(wish.get("stale_headers", self._gates.stale_limits))
        return {"remain": self._gates.window.remain(now), "reset": self._gates.window.reset(now)}

    def _buckets(self, wish: Wish) -> dict[str, Any]:
        if wish.get("as_usual"):
            self._gates.buckets.as_usual()
            return {}
        group, limit, window = (
            str(wish.get("group", "public-contract")),
            int(wish["limit"]),
            int(wish.get("window", 900)),
        )
        if limit < 1 or window < 1:
            raise ValueError("limit and window are at least 1")
        self._gates.buckets.add([str(one) for one in wish.get("routes", CONTRACT_KINDS)], Bucket(group, limit, window))
        return {"group": group, "limit": limit, "window": window}

    def _downtime(self, wish: Wish) -> dict[str, Any]:
        downtime = self._gates.downtime
        if "now" in wish:
            downtime.begin(self._gates.clock.now(), float(wish["now"]))
        downtime.daily = bool(wish.get("daily", downtime.daily))
        downtime.length = float(wish.get("length", downtime.length))
        downtime.not_found = float(wish.get("not_found", downtime.not_found))
        downtime.vip = float(wish.get("vip", downtime.vip))
        return {"daily": downtime.daily, "length": downtime.length}

    def _weather(self, wish: Wish) -> dict[str, Any]:
        if wish.get("stop"):
            self._storm.end()
        else:
            self._storm.begin(wish)
        return self._trouble()

    def _count_anew(self, wish: Wish) -> dict[str, Any]:
        if wish.get("reset"):
            self._stats.reset()
        return self._stats.counted()
