"""Cron slots, held to a scan of every minute (or second) that a zone's clocks show."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from common.slots import Cron, CronError, Interval, Once, Slots

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
FIRST, LAST = datetime(2016, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
MANY = 1_000_000
EXAMPLES = int(os.environ.get("SLOT_EXAMPLES", "80"))
"""Each scans a day and a half; more of them take proportionally longer."""

ZONES = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})


def numbers(first: int, last: int) -> st.SearchStrategy[str]:
    one = st.integers(first, last).map(str)
    span = st.lists(st.integers(first, last), min_size=2, max_size=2).map(lambda two: f"{min(two)}-{max(two)}")
    step = st.tuples(st.just("*") | span, st.integers(1, last)).map(lambda two: f"{two[0]}/{two[1]}")
    return st.just("*") | one | span | step | st.lists(one | span, min_size=2, max_size=3).map(",".join)


days_of_months = st.just("*") | st.just("*") | numbers(1, 28) | st.just("L")
months = st.just("*") | st.just("*") | numbers(1, 12) | st.just("MAR,OCT-nov")
weekdays = st.just("*") | st.just("*") | numbers(0, 6) | st.sampled_from(["MON-FRI", "sun", "5L", "SUN#2"])
expressions = st.tuples(numbers(0, 59), numbers(0, 23), days_of_months, months, weekdays).map(" ".join)
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.integers(0, int((LAST - FIRST) / timedelta(seconds=1))).map(
    lambda seconds: FIRST + timedelta(seconds=seconds)
)
spans = st.integers(0, 3 * 86_400_000_000).map(lambda microseconds: timedelta(microseconds=microseconds))


@cache
def changes(zone: ZoneInfo) -> list[datetime]:
    """The midnights (UTC) of the days within twenty years on which the zone's offset changes."""
    weeks = [FIRST + number * 7 * DAY for number in range((LAST - FIRST).days // 7)]
    return [
        week + number * DAY
        for week in weeks
        if _offset(week, zone) != _offset(week + 7 * DAY, zone)
        for number in range(7)
        if _offset(week + number * DAY, zone) != _offset(week + (number + 1) * DAY, zone)
    ]


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def shown(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


@cache
def matching(expression: str, first: datetime, last: datetime) -> frozenset[datetime]:
    """The times of clocks that match, by a walk over calendar days that knows of no zone."""
    return frozenset(_walked(expression, first, last))


def _walked(expression: str, first: datetime, last: datetime) -> Iterator[datetime]:
    for wall in CronSim(expression, first - MINUTE):
        if wall > last:
            return
        yield wall


def scanned(expression: str, zone: ZoneInfo, first: datetime, until: datetime) -> list[datetime]:
    """Every minute asked one by one: do the clocks show, for the first time, a time that matches or was leapt over?"""
    start = first - 2 * DAY
    walls = matching(expression, shown(start, zone), shown(until, zone) + DAY)
    ascending = sorted(walls)
    found, minute, latest, number = [], start, shown(start, zone) - MINUTE, 0
    while minute <= until:
        latest = max(latest, shown(minute, zone))
        passed = number
        while number < len(ascending) and ascending[number] <= latest:
            number += 1
        if number > passed and minute >= first:
            found.append(minute)
        minute += MINUTE
    return found


@settings(max_examples=EXAMPLES, deadline=None)
@given(expressions, zones, st.data())
def test_slots_are_those_found_by_asking_every_minute_around_a_change_of_the_clocks_and_anywhere(
    expression: str, zone: ZoneInfo, data: st.DataObject
) -> None:
    around = st.sampled_from(changes(zone)) if changes(zone) else moments
    first = data.draw(st.one_of(around, moments)).replace(second=0)
    until = first + timedelta(hours=36)

    assert Cron(expression, zone).between(first, until, at_most=MANY) == scanned(expression, zone, first, until)


@pytest.mark.parametrize("zone", [ZoneInfo(name) for name in ZONES[:: max(1, len(ZONES) // 40)]], ids=str)
def test_over_twenty_years_the_day_that_the_clocks_change_has_its_slots_in_every_zone(zone: ZoneInfo) -> None:
    cron = Cron("*/30 * * * *", zone)
    for day in changes(zone)[:: max(1, len(changes(zone)) // 4)]:
        assert cron.between(day, day + DAY, at_most=MANY) == scanned("*/30 * * * *", zone, day, day + DAY)


timings = st.one_of(
    st.builds(Cron, expressions, zones),
    st.builds(Once, moments),
    st.builds(Interval, st.integers(600, 10_000_000).map(lambda n: timedelta(seconds=n)), spans),
)
bounded = st.builds(
    lambda timing, start, length: Slots(timing, start, start and length and start + length),
    timings,
    st.none() | moments,
    st.none() | spans.filter(bool),
)


@settings(max_examples=100, deadline=None)
@given(bounded, moments, spans, spans)
def test_two_spans_that_meet_hold_the_slots_of_the_whole_once_each_and_in_order(
    slots: Slots, first: datetime, one: timedelta, other: timedelta
) -> None:
    middle, until = first + one, first + one + other

    head = slots.between(first, middle, at_most=MANY)
    tail = slots.between(middle + timedelta(microseconds=1), until, at_most=MANY)

    whole = slots.between(first, until, at_most=MANY)
    assert head + tail == whole
    assert whole == sorted(set(whole))


@settings(max_examples=100, deadline=None)
@given(bounded, moments, spans)
def test_asking_for_the_next_slot_again_and_again_finds_the_slots_of_the_span(
    slots: Slots, first: datetime, span: timedelta
) -> None:
    expected = slots.between(first, first + span, at_most=50)

    found: list[datetime] = []
    slot = slots.at_or_after(first)
    while slot is not None and slot <= first + span and len(found) < 50:
        found.append(slot)
        slot = slots.after(slot)

    assert found == expected


@pytest.mark.parametrize(
    ("expression", "zone", "day", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-29", ["2026-03-29T01:00"]),  # leapt over: as the clocks have leapt
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-29", ["2026-03-29T01:00"]),  # two such come as one
        ("30 2 * * *", "Europe/Berlin", "2026-10-25", ["2026-10-25T00:30"]),  # shown twice: the first time
        ("30 2 * * *", "America/New_York", "2026-03-08", ["2026-03-08T07:00"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03", ["2026-10-03T15:30"]),  # leaps of half an hour
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-30", ["2011-12-30T10:00"]),  # a day that was left out
        ("0 0 29 2 *", "UTC", "2028-02-29", ["2028-02-29T00:00"]),
        ("0 0 L 2 *", "UTC", "2027-02-28", ["2027-02-28T00:00"]),
        ("0 0 13 * FRI", "UTC", "2026-11-13", ["2026-11-13T00:00"]),
    ],
)
def test_what_is_said_of_daylight_saving_and_calendars(
    expression: str, zone: str, day: str, expected: list[str]
) -> None:
    first = datetime.fromisoformat(day).replace(tzinfo=UTC)

    slots = Cron(expression, ZoneInfo(zone)).between(first, first + DAY - MINUTE, at_most=MANY)

    assert [slot.strftime("%Y-%m-%dT%H:%M") for slot in slots] == expected


def test_six_fields_begin_with_seconds() -> None:
    first = datetime(2026, 10, 25, 0, 59, tzinfo=UTC)

    slots = Cron("*/20 * * * * *", ZoneInfo("Europe/Berlin")).between(first, first + MINUTE, at_most=MANY)

    assert [slot.second for slot in slots] == [0, 20, 40]  # and an hour without any, which the clocks show again
    assert Cron("*/20 * * * * *", ZoneInfo("Europe/Berlin")).after(slots[-1]) == datetime(2026, 10, 25, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "60 * * * *", "* * * * MOO", "0 0 30 2 *", "@daily", "5-1 * * * *"]
)
def test_what_is_no_expression_is_said_to_be_none(expression: str) -> None:
    with pytest.raises(CronError):
        Cron(expression, ZoneInfo("UTC"))


def test_what_never_comes_is_none_also_near_the_end_of_all_calendars() -> None:
    assert Cron("0 0 29 2 *", ZoneInfo("UTC")).after(datetime(9950, 1, 1, tzinfo=UTC)) is None
    assert Cron("0 0 29 2 *", ZoneInfo("UTC")).between(FIRST, LAST, at_most=MANY)[0].year == 2016
