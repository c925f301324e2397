from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.fates import PUNCTUAL, Decision, Rules, Situation, decide

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

ages = st.lists(st.integers(0, 100_000), max_size=20, unique=True).map(lambda ages: sorted(ages, reverse=True))
overlaps = st.sampled_from(["skip", "buffer_one", "allow_all"])
catchups = st.sampled_from(["none", "latest", "all"])
windows = st.none() | st.integers(1, 100_000).map(lambda seconds: timedelta(seconds=seconds))


def due(*minutes: int) -> list[tuple[datetime, datetime]]:
    """Slots that were due so many minutes before noon."""
    return [(NOON - minute * MINUTE, NOON - minute * MINUTE) for minute in minutes]


def fates(decision: Decision) -> list[str]:
    return [fate for _, fate in decision.fates]


def decided(*minutes: int, busy: bool = False, **rules: Any) -> list[str]:
    return fates(decide(due(*minutes), Rules(**rules), Situation(NOON, busy=busy)))


@given(
    ages,
    st.builds(Rules, overlap=overlaps, catchup=catchups, window=windows),
    st.builds(
        Situation,
        now=st.just(NOON),
        busy=st.booleans(),
        paused=st.booleans(),
        skip_next=st.booleans(),
        newer_to_come=st.booleans(),
        causes_runs=st.booleans(),
    ),
)
def test_every_slot_has_one_fate_or_waits_whatever_the_rules_and_the_situation(
    ages: list[int], rules: Rules, at: Situation
) -> None:
    slots = [NOON - timedelta(seconds=age) for age in ages]

    decision = decide([(slot, slot) for slot in slots], rules, at)

    waiting = [] if decision.buffered is None else [decision.buffered]
    assert sorted([slot for slot, _ in decision.fates] + waiting) == slots
    if waiting:
        assert rules.overlap == "buffer_one"
    if at.paused:
        assert set(fates(decision)) <= {"skipped_paused"}
    if rules.overlap == "skip" and at.causes_runs:
        assert fates(decision).count("fired") <= (0 if at.busy else 1)


@given(ages=ages, busy=st.booleans())
def test_only_the_newest_of_the_slots_that_have_come_is_acted_on(*, ages: list[int], busy: bool) -> None:
    slots = [NOON - timedelta(seconds=age) for age in ages]

    decision = decide([(slot, slot) for slot in slots], Rules(), Situation(NOON, busy=busy))

    assert [slot for slot, _ in decision.fates] == slots
    assert set(fates(decision)[:-1]) <= {"skipped_catchup"}
    assert fates(decision)[-1:] == (["skipped_overlap" if busy else "fired"] if slots else [])


@given(ages.filter(bool))
def test_none_is_acted_on_while_a_newer_one_is_to_come(ages: list[int]) -> None:
    slots = [NOON - timedelta(seconds=age) for age in ages]
    at = Situation(NOON, newer_to_come=True)

    assert set(fates(decide([(slot, slot) for slot in slots], Rules("allow_all"), at))) == {"skipped_catchup"}


def test_a_schedule_that_allows_all_fires_while_its_last_run_is_under_way() -> None:
    assert decided(0, overlap="allow_all", busy=True) == ["fired"]


def test_a_paused_schedule_s_slots_are_skipped_and_so_is_the_one_that_an_operator_asked_to_skip() -> None:
    assert fates(decide(due(2, 1), Rules(), Situation(NOON, paused=True))) == ["skipped_paused"] * 2
    assert fates(decide(due(0), Rules(), Situation(NOON, skip_next=True))) == ["skipped_paused"]
    both = decide(due(1, 0), Rules(), Situation(NOON, skip_next=True))
    assert fates(both) == ["skipped_paused", "fired"]


def test_of_the_slots_that_meet_a_run_under_way_one_waits_and_the_others_are_skipped() -> None:
    rules, busy = Rules("buffer_one", "all"), Situation(NOON, busy=True)

    first = decide(due(3, 2), rules, busy)
    second = decide(due(1), rules, busy, buffered=first.buffered)

    assert (fates(first), first.buffered) == (["skipped_overlap"], NOON - 3 * MINUTE)
    assert (fates(second), second.buffered) == (["skipped_overlap"], NOON - 3 * MINUTE)


def test_a_slot_that_fires_is_a_run_under_way_for_those_that_come_with_it() -> None:
    assert decided(3, 2, 1, catchup="all") == ["fired", "skipped_overlap", "skipped_overlap"]
    assert decided(3, 2, 1, catchup="all", overlap="allow_all") == ["fired"] * 3
    no_run = decide(due(3, 2), Rules("skip", "all"), Situation(NOON, causes_runs=False))
    assert fates(no_run) == ["fired"] * 2


def test_what_is_caught_up_lies_within_the_window() -> None:
    hour, day = timedelta(hours=1), 24 * 60
    all_of_an_hour: dict[str, Any] = {"overlap": "allow_all", "catchup": "all", "window": hour}

    assert decided(day, 61, 60, 1, **all_of_an_hour) == ["skipped_catchup"] * 2 + ["fired"] * 2
    assert decided(day) == ["fired"]
    assert decided(61, window=hour) == ["skipped_catchup"]
    assert decided(2, 1, catchup="none") == ["skipped_catchup", "fired"]
    assert decided(2, catchup="none") == ["skipped_catchup"]
    assert timedelta(minutes=2) > PUNCTUAL
