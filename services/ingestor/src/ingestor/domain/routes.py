"""How many jumps it is from system to system: by the shortest way, and by the shortest through high security only."""

from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

ORIGINS_KEPT: Final = 128
"""Distances from so many systems are kept, 11 kB each: contracts of one region begin at few."""
UNREACHED: Final = -1

Stargates = Iterable[tuple[int, int]]


class Jumps(NamedTuple):
    """From one system to another; None where there is no way."""

    shortest: int | None
    high_security: int | None
    """Every system on the way is of high security, both ends too."""


class StarMap:
    """Stargates, each from a system to a system, and which systems are of high security.

    All of New Eden takes 1 MB, and the distances that are kept 3 MB at most.
    """

    def __init__(self, stargates: Stargates, high_security: Iterable[int]) -> None:
        jumps = list(stargates)
        high = frozenset(high_security)
        self._everywhere = _Network((system for jump in jumps for system in jump), jumps)
        self._high = _Network(high, (jump for jump in jumps if high.issuperset(jump)))

    def jumps(self, origin: int, destination: int) -> Jumps:
        """The ways from `origin` to `destination`; it is no jump to where one is, with or without a stargate."""
        shortest = 0 if origin == destination else self._everywhere.distance(origin, destination)
        return Jumps(shortest, self._high.distance(origin, destination))


class _Network:
    """Systems by their place in the order of ids, and the places that the stargates of each lead to."""

    def __init__(self, systems: Iterable[int], jumps: Stargates) -> None:
        self._systems = array("q", sorted(set(systems)))
        place_of = {system: place for place, system in enumerate(self._systems)}
        leads_to: list[list[int]] = [[] for _ in self._systems]
        for start, end in jumps:
            leads_to[place_of[start]].append(place_of[end])
        self._leads_to = [tuple(ends) for ends in leads_to]
        self._known: OrderedDict[int, array[int]] = OrderedDict()

    def distance(self, origin: int, destination: int) -> int | None:
        start, end = self._place(origin), self._place(destination)
        if start is None or end is None:
            return None
        found = self._distances(start)[end]
        return None if found == UNREACHED else found

    def _place(self, system: int) -> int | None:
        place = bisect_left(self._systems, system)
        return place if place < len(self._systems) and self._systems[place] == system else None

    def _distances(self, start: int) -> "array[int]":
        """To every place; the longest unused are forgotten."""
        known = self._known.pop(start, None)
        self._known[start] = self._search(start) if known is None else known
        if len(self._known) > ORIGINS_KEPT:
            self._known.popitem(last=False)
        return self._known[start]

    def _search(self, start: int) -> "array[int]":
        """Breadth first: whoever is first reached after so many jumps is not reached sooner."""
        distances = array("h", [UNREACHED]) * len(self._systems)
        distances[start] = 0
        reached, jumps = [start], 0
        while reached:
            jumps += 1
            following = []
            for place in reached:
                for neighbour in self._leads_to[place]:
                    if distances[neighbour] == UNREACHED:
                        distances[neighbour] = jumps
                        following.append(neighbour)
            reached = following
        return distances
