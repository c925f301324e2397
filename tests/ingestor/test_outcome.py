"""What a look at a gone contract's items proves."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestor.domain.outcome import COARSE, Departure, Evidence, ask_again_after, decide
from support.ingestion import NOON

ACCEPTED = Evidence(403, "Contract accepted by player, requires authorization")
REMOVED = Evidence(404, "Contract not found")
EMPTY = Evidence(204, "")

evidence = st.one_of(
    st.sampled_from([ACCEPTED, REMOVED, EMPTY, Evidence(200, ""), Evidence(403, "Contract not public")]),
    st.builds(Evidence, st.integers(200, 599), st.text(max_size=60)),
)
departures = st.builds(
    Departure,
    is_auction=st.booleans(),
    date_expired=st.just(NOON),
    absent_at=st.timedeltas(timedelta(days=-20), timedelta(days=20)).map(lambda since: NOON + since),
    bids=st.none() | st.integers(0, 30),
)


def left(minutes: float, *, is_auction: bool = False, bids: int | None = None) -> Departure:
    """Gone from a list that was made so long after its end."""
    return Departure(is_auction, NOON, NOON + timedelta(minutes=minutes), bids)


@pytest.mark.parametrize(
    ("said", "departure", "outcome"),
    [
        (ACCEPTED, left(-600), "accepted"),
        (ACCEPTED, left(10, is_auction=True, bids=0), "accepted"),
        (REMOVED, left(0), "expired"),
        (REMOVED, left(10), "expired"),
        (REMOVED, left(-1), "withdrawn"),
        (REMOVED, left(10, is_auction=True, bids=2), "accepted"),
        (REMOVED, left(10, is_auction=True, bids=0), "expired"),
        (REMOVED, left(10, is_auction=True, bids=None), "unknown"),
        (REMOVED, left(-60, is_auction=True, bids=0), "unknown"),
        (REMOVED, left(-2000, is_auction=True, bids=0), "withdrawn"),
        (REMOVED, left(-2000, is_auction=True, bids=3), "unknown"),
        (EMPTY, left(10), None),
        (Evidence(200, ""), left(10), None),
        (Evidence(403, "Contract not public"), left(10), None),
        (Evidence(404, "404 page not found"), left(10), None),
        (Evidence(500, "Contract not found"), left(10), None),
    ],
)
def test_each_answer_proves_so_much_and_no_more(said: Evidence, departure: Departure, outcome: str | None) -> None:
    assert decide(said, departure) == outcome


@settings(max_examples=40, deadline=None)
@given(evidence, departures)
def test_nothing_is_claimed_against_the_lists(said: Evidence, departure: Departure) -> None:
    outcome = decide(said, departure)

    if outcome == "expired":
        assert departure.absent_at >= departure.date_expired
    if outcome == "withdrawn":
        assert departure.absent_at < departure.date_expired - (COARSE if departure.is_auction else timedelta())
    if outcome == "accepted" and said != ACCEPTED:
        assert departure.is_auction
        assert departure.bids
    if said.status not in {403, 404}:
        assert outcome is None


@settings(max_examples=40, deadline=None)
@given(st.timedeltas(timedelta(), timedelta(hours=2)))
def test_the_route_is_asked_again_only_when_it_may_say_something_else(fresh_for: timedelta) -> None:
    assert ask_again_after(fresh_for) > max(fresh_for, timedelta(seconds=4))
