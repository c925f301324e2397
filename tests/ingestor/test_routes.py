"""How many jumps it is: held to a search that relaxes every stargate until nothing changes."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from common import universe
from ingestor.domain.routes import ORIGINS_KEPT, Jumps, StarMap

JITA, PERIMETER, AMARR, THERA, TAMA, NOURVUKAIKEN = 30000142, 30000144, 30002187, 31000005, 30002813, 30001376

places = st.integers(1, 12)
gates = st.lists(st.tuples(places, places), max_size=40)


def by_relaxing(stargates: list[tuple[int, int]], origin: int, destination: int, allowed: set[int]) -> int | None:
    """Bellman and Ford's way, which knows no order of search."""
    distance = dict.fromkeys(allowed, inf) | ({origin: 0} if origin in allowed else {})
    for _ in allowed:
        for start, end in stargates:
            if start in allowed and end in allowed:
                distance[end] = min(distance[end], distance[start] + 1)
    found = distance.get(destination, inf)
    return None if found == inf else int(found)


@given(gates, st.sets(places), places, places)
def test_the_shortest_ways_are_those_of_brute_force(
    stargates: list[tuple[int, int]], high: set[int], origin: int, destination: int
) -> None:
    known = StarMap(stargates, high)

    everywhere = by_relaxing(stargates, origin, destination, set(range(1, 13)))
    assert known.jumps(origin, destination) == Jumps(everywhere, by_relaxing(stargates, origin, destination, high))


@given(gates, st.sets(places), st.lists(st.tuples(places, places), max_size=10))
def test_what_was_asked_before_changes_no_answer(
    stargates: list[tuple[int, int]], high: set[int], asked: list[tuple[int, int]]
) -> None:
    known = StarMap(stargates, high)

    assert [known.jumps(*pair) for pair in asked * 2] == [StarMap(stargates, high).jumps(*pair) for pair in asked * 2]


def new_eden() -> StarMap:
    secure = (system.system_id for system in universe.systems() if system.security >= 0.45)
    return StarMap(universe.stargates(), secure)


def test_ways_through_new_eden_are_those_the_game_shows() -> None:
    known = new_eden()

    assert known.jumps(JITA, JITA) == (0, 0)
    assert known.jumps(JITA, PERIMETER) == (1, 1)
    assert known.jumps(JITA, AMARR).high_security == 45
    assert known.jumps(NOURVUKAIKEN, TAMA) == (1, None)
    assert known.jumps(TAMA, TAMA) == (0, None)
    assert known.jumps(THERA, THERA) == (0, None)
    assert known.jumps(THERA, JITA) == (None, None)


def test_far_more_origins_than_are_kept_are_answered_alike() -> None:
    known = new_eden()
    origins = [system.system_id for system in universe.systems()][: 3 * ORIGINS_KEPT]

    first = [known.jumps(origin, JITA) for origin in origins]

    assert [known.jumps(origin, JITA) for origin in origins] == first
