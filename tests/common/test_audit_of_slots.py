from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from common.events import Dataset, Scope
from common.slots import Audit, Definition, Findings, Governed, Seen, slots_of, spans

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
SWEEP: dict[str, Any] = {"name": "a test's", "dataset": Dataset.CONTRACTS, "scope": Scope(region_id=1)}
EVERY_MINUTE = Definition(**SWEEP, kind="interval", every_seconds=60)
EVERY_SEVEN = Definition(**SWEEP, kind="interval", every_seconds=420)
UPSTREAM = Definition(**SWEEP, kind="upstream", every_seconds=1800, min_seconds=30, max_seconds=3600)


def line(slot_at: datetime, *, asked: bool = False, late: timedelta = timedelta(), run_id: object = None) -> Seen:
    return Seen(slot_at, slot_at + late, asked, run_id)


def audited(
    governed: list[Governed], lines: list[Seen], *, undecided: datetime, waiting: datetime | None = None
) -> Findings:
    audit = Audit(governed, undecided=undecided, waiting=waiting)
    for each in sorted(lines, key=lambda each: each.slot_at):
        audit.see(each)
    return audit.end()


def found(findings: Findings) -> set[tuple[str, datetime]]:
    return {(finding.what, finding.slot_at) for finding in findings.named}


@given(
    st.lists(st.integers(1, 5_000).map(lambda seconds: seconds * SECOND), max_size=4),
    st.sets(st.integers(0, 300), max_size=5),
    st.sets(st.integers(0, 20_000), max_size=5),
)
def test_exactly_what_is_missing_is_a_gap_and_what_is_no_slot_a_stranger_whatever_was_edited_when(
    lengths: list[timedelta], missing: set[int], extra: set[int]
) -> None:
    begins = [NOON]
    for length in lengths:
        begins.append(begins[-1] + length)
    definitions = [(EVERY_MINUTE, EVERY_SEVEN, None)[number % 3] for number in range(len(begins))]
    governed = spans(list(zip(begins, definitions, strict=True)))
    undecided = begins[-1] + HOUR
    expected = [
        slot
        for span in governed
        if span.definition is not None
        for slot in slots_of(span.definition).between(
            span.since, (span.until or undecided) - timedelta(microseconds=1), at_most=10_000
        )
    ]
    gone = {expected[number] for number in missing if number < len(expected)}
    strangers = {NOON + n * SECOND + timedelta(milliseconds=5) for n in extra if NOON + n * SECOND < undecided}

    findings = audited(governed, [line(slot) for slot in [*(set(expected) - gone), *strangers]], undecided=undecided)

    assert found(findings) == {("gap", slot) for slot in gone} | {("stranger", slot) for slot in strangers}
    assert findings.expected == len(expected)
    assert findings.is_clean == (not gone and not strangers)


def test_what_waits_what_is_still_to_come_and_what_was_asked_for_is_no_finding() -> None:
    governed = [Governed(NOON, None, EVERY_MINUTE)]
    lines = [line(NOON), line(NOON - HOUR, asked=True), line(NOON + 7 * SECOND, asked=True), line(NOON - 2 * HOUR)]

    assert audited(governed, lines, undecided=NOON + 2 * MINUTE, waiting=NOON + MINUTE).is_clean


def test_a_run_that_stands_for_two_slots_is_a_double() -> None:
    lines = [line(NOON, run_id=1), line(NOON + MINUTE, run_id=1)]

    findings = audited([Governed(NOON, None, EVERY_MINUTE)], lines, undecided=NOON + 2 * MINUTE)

    assert found(findings) == {("double", NOON + MINUTE)}


def test_slots_that_follow_upstream_lie_within_their_bounds_of_the_decision_before() -> None:
    governed = [Governed(NOON, None, UPSTREAM)]
    good = [line(NOON, late=SECOND), line(NOON + 31 * SECOND), line(NOON + HOUR + 31 * SECOND)]
    too_late = [line(NOON), line(NOON + HOUR + SECOND)]
    too_early = [line(NOON), line(NOON + 29 * SECOND)]

    assert audited(governed, good, undecided=NOON + 3 * HOUR).is_clean
    assert found(audited(governed, too_late, undecided=NOON + 3 * HOUR)) == {("gap", NOON + HOUR)}
    assert found(audited(governed, too_early, undecided=NOON + 3 * HOUR)) == {("stranger", NOON + 29 * SECOND)}


def test_many_findings_are_counted_and_some_are_named() -> None:
    findings = audited([Governed(NOON, None, EVERY_MINUTE)], [], undecided=NOON + 1_000 * MINUTE)

    assert (findings.counts["gap"], len(findings.named)) == (1_000, 100)
