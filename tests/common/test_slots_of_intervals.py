from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from common.slots import EPOCH, Interval, first_now

SECOND = timedelta(seconds=1)
MANY = 10_000

intervals = st.builds(
    Interval,
    every=st.integers(1, 10_000).map(lambda seconds: seconds * SECOND),
    offset=st.integers(-20_000, 20_000).map(lambda seconds: seconds * SECOND),
)
moments = st.integers(0, 20 * 365 * 86_400_000_000).map(
    lambda microseconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
spans = st.integers(0, 20_000_000_000).map(lambda microseconds: timedelta(microseconds=microseconds))


def by_hand(interval: Interval, first: datetime, until: datetime) -> list[datetime]:
    """Every whole second, asked one by one."""
    second = first.replace(microsecond=0)
    candidates = (second + number * SECOND for number in range(int((until - second) / SECOND) + 2))
    return [
        each
        for each in candidates
        if first <= each <= until and int((each - EPOCH - interval.offset) / SECOND) % int(interval.every / SECOND) == 0
    ]


@given(intervals, moments, spans.filter(lambda span: span < timedelta(hours=1)))
def test_the_slots_between_two_moments_are_those_found_by_asking_every_second(
    interval: Interval, first: datetime, span: timedelta
) -> None:
    assert interval.between(first, first + span, at_most=MANY) == by_hand(interval, first, first + span)


@given(intervals, moments, spans, spans)
def test_two_spans_that_meet_hold_the_slots_of_the_whole_span_once_each(
    interval: Interval, first: datetime, one: timedelta, other: timedelta
) -> None:
    middle, until = first + one, first + one + other

    head = interval.between(first, middle, at_most=MANY * 10)
    tail = interval.between(interval.after(middle), until, at_most=MANY * 10)

    assert head + tail == interval.between(first, until, at_most=MANY * 10)


@given(intervals, moments)
def test_the_slot_after_a_moment_is_later_and_the_one_at_or_after_it_is_not_earlier(
    interval: Interval, moment: datetime
) -> None:
    at_or_after, after = interval.at_or_after(moment), interval.after(moment)

    assert moment <= at_or_after < moment + interval.every
    assert moment < after <= moment + interval.every
    assert interval.at_or_after(at_or_after) == at_or_after
    assert interval.after(at_or_after) == at_or_after + interval.every


@given(intervals, moments, spans, st.integers(1, 50))
def test_of_too_many_slots_the_oldest_are_taken_and_the_rest_follow(
    interval: Interval, first: datetime, span: timedelta, at_most: int
) -> None:
    until = first + span

    taken: list[datetime] = []
    due = first
    while len(taken) < 500 and (some := interval.between(due, until, at_most=at_most)):
        assert len(some) <= at_most
        taken += some
        due = interval.after(some[-1])

    assert taken == interval.between(first, until, at_most=len(taken) or 1)


@given(moments, st.integers(1, 10_000))
def test_a_new_schedule_s_first_slot_is_the_second_in_which_it_is_made(moment: datetime, seconds: int) -> None:
    second = moment.replace(microsecond=0)

    assert first_now(seconds * SECOND, moment).at_or_after(second) == second
