from datetime import UTC, datetime, timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from common.slots import Upstream, latest

moments = st.integers(0, 86_400_000_000).map(
    lambda microseconds: datetime(2026, 11, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
spans = st.integers(1, 7_200_000_000).map(lambda microseconds: timedelta(microseconds=microseconds))
timings = st.builds(
    lambda one, other, fallback: Upstream(fallback=fallback, floor=min(one, other), cap=max(one, other)),
    *(spans, spans, spans),
)
reports = st.none() | moments


@given(timings, moments, reports, reports)
def test_a_slot_never_comes_before_the_floor_and_never_after_the_cap(
    timing: Upstream, decided_at: datetime, fired_at: datetime | None, fresh_until: datetime | None
) -> None:
    slot = timing.after(decided_at, fired_at=fired_at, fresh_until=fresh_until)

    assert decided_at + timing.floor <= slot <= decided_at + timing.cap


@given(timings, moments, spans)
def test_within_the_bounds_the_slot_is_the_very_instant_that_was_told(
    timing: Upstream, decided_at: datetime, left: timedelta
) -> None:
    told = decided_at + min(max(left, timing.floor), timing.cap)

    assert timing.after(decided_at, fired_at=decided_at, fresh_until=told) == told


@given(timings, moments)
def test_while_nothing_is_told_the_slot_comes_after_the_fallback(timing: Upstream, decided_at: datetime) -> None:
    slot = timing.after(decided_at, fired_at=decided_at, fresh_until=None)

    assert slot - decided_at == min(max(timing.fallback, timing.floor), timing.cap)


@given(timings, moments, spans)
def test_a_report_of_what_a_slot_has_fired_past_is_as_good_as_none(
    timing: Upstream, fired_at: datetime, age: timedelta
) -> None:
    nothing = timing.after(fired_at, fired_at=fired_at, fresh_until=None)

    assert timing.after(fired_at, fired_at=fired_at, fresh_until=fired_at - age) == nothing
    assert timing.after(fired_at, fired_at=fired_at, fresh_until=fired_at) == nothing


@given(timings, moments, spans, spans)
def test_a_slot_that_was_skipped_leaves_what_was_told_due_at_once(
    timing: Upstream, fired_at: datetime, until: timedelta, late: timedelta
) -> None:
    told = fired_at + until
    skipped_at = told + late

    assert timing.after(skipped_at, fired_at=fired_at, fresh_until=told) == skipped_at + timing.floor


@given(timings, moments, st.lists(moments, min_size=2, max_size=5).map(sorted))
def test_a_later_report_never_moves_the_slot_back(timing: Upstream, decided_at: datetime, told: list[datetime]) -> None:
    unknown = decided_at - timedelta(days=2)
    slots = [timing.after(decided_at, fired_at=unknown, fresh_until=each) for each in told]

    assert slots == sorted(slots)


@given(st.lists(moments, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_reports_may_come_in_any_order_and_more_than_once(told: list[datetime], luck: object) -> None:
    again = [*told, *told]
    getattr(luck, "shuffle")(again)  # noqa: B009 - hypothesis' generator has no public type

    assert reduce(latest, again, None) == max(told)
