"""What upstream's headers grant us, and what time it is there."""

from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import Dataset
from common.slots.costs import ROUTES
from ingestor.datasets.universe import TYPES
from ingestor.domain.budget import ERRORS_ALLOWED, WINDOW_SECONDS, ErrorBudget, TokenBucket, allowance
from ingestor.domain.downtime import in_downtime
from ingestor.domain.upstream_clock import UpstreamClock
from ingestor.esi.governor import route
from ingestor.esi.market import ORDERS_PATH

counts = st.integers(0, 100)
seconds = st.floats(0, 60)


@given(st.lists(st.tuples(counts, seconds), min_size=1, max_size=20))
def test_within_a_window_the_lowest_number_heard_of_is_believed(heard: list[tuple[int, float]]) -> None:
    budget = ErrorBudget()

    for remaining, resets_in in heard:
        budget.observe(remaining, max(resets_in, 1.0), now=100.0)

    assert budget.left(100.5) == min(remaining for remaining, _ in heard)
    assert budget.left(100.0 + WINDOW_SECONDS) == ERRORS_ALLOWED


@given(counts, st.integers(1, 8), st.integers(0, 40), st.floats(0, 120))
def test_replicas_that_fail_in_everything_at_once_leave_the_reserve_unspent(
    remaining: int, replicas: int, reserve: int, elapsed: float
) -> None:
    budget = ErrorBudget()
    budget.observe(remaining, 60.0, now=0.0)

    at_once = budget.at_once(elapsed, reserve=reserve, replicas=replicas)

    assert at_once is not None
    left = budget.left(elapsed)
    assert left is not None
    assert at_once == 0 or left - at_once * replicas >= reserve


def test_nothing_is_limited_before_upstream_has_spoken_of_errors() -> None:
    assert ErrorBudget().at_once(0.0, reserve=30, replicas=3) is None


@given(st.text())
def test_no_limit_header_can_break_the_reading_of_it(header: str) -> None:
    granted = allowance(header)

    assert granted is None or (granted[0] > 0 and granted[1] > 0)


def test_a_bucket_is_full_again_a_window_after_it_was_last_heard_of() -> None:
    assert allowance("12000/15m") == (12_000, 900.0)
    bucket = TokenBucket(600, 900.0, remaining=4, observed_at=50.0)

    assert bucket.left(949.0) == 4
    assert bucket.left(950.0) == 600


@given(
    ahead=st.floats(-1e6, 1e6),
    answers=st.lists(st.tuples(st.floats(0.001, 5), st.floats(0, 1)), min_size=1, max_size=50),
    expires_in=st.integers(0, 1800),
)
def test_a_list_is_never_asked_for_before_it_expires(
    ahead: float, answers: list[tuple[float, float]], expires_in: int
) -> None:
    clock = UpstreamClock()
    now = 1_000.0
    date = 0
    for took, part in answers:
        sent, now = now, now + took
        date = floor(sent + took * part + ahead)
        clock.observe(date, sent=sent, received=now)
    expires = date + expires_in

    asked_at = now + clock.left(expires, now)

    assert asked_at + ahead >= expires - 1e-3


def test_many_answers_tell_upstreams_time_to_the_hundredth_of_a_second() -> None:
    clock = UpstreamClock()
    for step in range(400):
        sent = 50.0 + step * 0.0137
        clock.observe(int(sent + 7.25), sent=sent, received=sent + 0.002)

    assert clock.low is not None
    assert 7.25 - 0.02 < clock.low <= 7.25


def test_a_clock_that_was_set_is_learned_anew() -> None:
    clock = UpstreamClock()
    clock.observe(5_000, sent=1.0, received=1.1)

    clock.observe(100, sent=2.0, received=2.1)

    assert clock.left(until=160, now=2.1) <= 61.0


def test_the_daily_downtime_is_told_by_upstreams_own_clock() -> None:
    assert in_downtime("Sun, 01 Nov 2026 11:00:00 GMT")
    assert in_downtime("Sun, 01 Nov 2026 11:19:59 GMT")
    assert not in_downtime("Sun, 01 Nov 2026 11:20:00 GMT")
    assert not in_downtime("Sun, 01 Nov 2026 10:59:59 GMT")
    assert not in_downtime("yesterday")
    assert not in_downtime(None)


@pytest.mark.parametrize(
    ("dataset", "path"),
    [
        (Dataset.CONTRACTS, "/contracts/public/10000002"),
        (Dataset.ITEMS, "/contracts/public/items/145360810"),
        (Dataset.OUTCOMES, "/contracts/public/items/145360810"),
        (Dataset.BIDS, "/contracts/public/bids/145360810"),
        (Dataset.PRICES, ORDERS_PATH),
        (Dataset.UNIVERSE, f"{TYPES.path}/587"),
        (Dataset.NAMES, "/universe/names"),
        (Dataset.DYNAMIC_ITEMS, "/dogma/dynamic/items/49722/1027826381003"),
    ],
)
def test_schedules_are_planned_by_the_routes_that_buckets_are_told_for(dataset: Dataset, path: str) -> None:
    assert ROUTES[dataset] == route(path)
