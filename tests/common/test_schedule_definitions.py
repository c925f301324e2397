from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import Dataset, Scope
from common.slots import Definition, delay, faults, slots_of

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SWEEP: dict[str, Any] = {"name": "a test's", "dataset": Dataset.CONTRACTS, "scope": Scope(region_id=1)}
INTERVAL = Definition(**SWEEP, kind="interval", every_seconds=60)


def cron(expression: str = "0 3 * * *", zone: str = "Europe/Berlin", **more: Any) -> Definition:
    return Definition(**{**SWEEP, **more}, kind="cron", cron=expression, zone=zone)


@pytest.mark.parametrize(
    "definition",
    [
        INTERVAL,
        cron(),
        cron("*/10 * * * * *", "UTC", start_at=NOW + HOUR, end_at=NOW + 2 * HOUR, overlap="buffer_one", catchup="all"),
        Definition(**SWEEP, kind="once", at=NOW),
        Definition(**SWEEP, kind="upstream", every_seconds=1800, min_seconds=30, max_seconds=3600),
        Definition(name="left over", kind="interval", every_seconds=10, action="reconcile"),
        Definition(name="worth", kind="interval", every_seconds=300, dataset=Dataset.PRICES),
    ],
)
def test_what_makes_sense_has_no_faults(definition: Definition) -> None:
    assert faults(definition, now=NOW) == {}


@pytest.mark.parametrize(
    ("definition", "field", "reason"),
    [
        (cron("0 0 30 2 *"), "cron", "bad day-of-month"),
        (cron("0 0 30 2 MON#7"), "cron", "bad"),
        (cron("every day"), "cron", "number of fields"),
        (cron("0 0 31 2 *"), "cron", "bad day-of-month"),
        (cron(zone="Europe/Gotham"), "zone", "no time zone Europe/Gotham"),
        (cron(zone="../etc/passwd"), "zone", "no time zone"),
        (cron(start_at=NOW + HOUR, end_at=NOW + HOUR), "end_at", "not later than start_at"),
        (cron(end_at=NOW - HOUR), "end_at", "is over"),
        (cron(end_at=NOW + HOUR), "end_at", "before the first slot"),
        (cron(every_seconds=5), "every_seconds", "means nothing to the kind cron"),
        (Definition(**SWEEP, kind="cron", cron="* * * * *"), "zone", "is required"),
        (Definition(**SWEEP, kind="interval"), "every_seconds", "is required"),
        (Definition(**SWEEP, kind="interval", every_seconds=0), "every_seconds", "from 1"),
        (Definition(**SWEEP, kind="interval", every_seconds=60, jitter_seconds=60), "jitter_seconds", "less than"),
        (Definition(**SWEEP, kind="once", at=NOW - HOUR), "at", "is over"),
        (
            Definition(**SWEEP, kind="upstream", every_seconds=60, min_seconds=50, max_seconds=40),
            "max_seconds",
            "less than min_seconds",
        ),
        (Definition(name="no dataset", kind="interval", every_seconds=60), "dataset", "is required"),
        (Definition(name="x", kind="interval", every_seconds=60, dataset=Dataset.CONTRACTS), "scope.region_id", "is"),
        (Definition(**SWEEP, kind="interval", every_seconds=60, action="reconcile"), "dataset", "means nothing"),
        (Definition(**SWEEP, kind="interval", every_seconds=60, catchup_seconds=0), "catchup_seconds", "from 1"),
    ],
)
def test_what_makes_no_sense_is_said_by_field(definition: Definition, field: str, reason: str) -> None:
    wrong = faults(definition, now=NOW)

    assert reason in wrong[field]


@given(
    st.text(min_size=1, max_size=20),
    st.integers(0, 10_000_000).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    st.integers(0, 86_400).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_a_slot_is_delayed_by_the_same_time_wherever_it_is_asked_and_by_less_than_the_most(
    schedule_id: str, slot: datetime, most: timedelta
) -> None:
    late = delay(schedule_id, slot, most=most)

    assert timedelta() <= late <= most
    assert late < most or not most
    assert late == delay(schedule_id, slot.astimezone(), most=most)


def test_delays_spread_evenly() -> None:
    delays = [delay(f"schedule {number}", NOW, most=timedelta(seconds=60)) for number in range(6_000)]

    tenths = [sum(n * 6 <= each.total_seconds() < (n + 1) * 6 for each in delays) for n in range(10)]
    assert all(500 < tenth < 700 for tenth in tenths)


def test_slots_before_the_start_and_from_the_end_on_are_none_of_the_schedule_s() -> None:
    slots = slots_of(cron("0 * * * *", "UTC", start_at=NOW + HOUR, end_at=NOW + 4 * HOUR))

    found = slots.between(NOW - HOUR, NOW + 24 * HOUR, at_most=100)

    assert found == [NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR]
    assert slots.after(found[-1]) is None
