from datetime import UTC, datetime, timedelta

from ingestor.domain.looks import Looks

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def later(**some: float) -> datetime:
    return NOON + timedelta(**some)


def test_the_first_look_goes_a_week_back_and_the_next_a_little_behind_the_one_before() -> None:
    looks = Looks()
    assert looks.since(NOON) == later(days=-7)

    looks = looks.and_one(NOON)
    assert looks.since(later(seconds=10)) == later(minutes=-10)

    looks = looks.and_one(later(seconds=10))
    assert looks.since(later(seconds=20)) == later(minutes=-10, seconds=10)


def test_each_hour_one_look_goes_a_week_back() -> None:
    looks = Looks().and_one(NOON).and_one(later(minutes=59))
    assert looks.since(later(hours=1)) == later(hours=1, days=-7)

    looks = looks.and_one(later(hours=1))
    assert looks.since(later(hours=1, seconds=10)) == later(minutes=50)


def test_looks_that_were_far_apart_leave_nothing_out() -> None:
    looks = Looks().and_one(NOON)

    assert looks.since(later(minutes=50)) == later(minutes=-10)
