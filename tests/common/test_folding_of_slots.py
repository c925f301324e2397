"""What an audit finds of a ledger, it finds of the ranges and lines that are left when the ledger is folded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import Dataset, Scope
from common.slots import Audit, Definition, Findings, Governed, Old, Range, Seen, fold, proof, slots_of, spans

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TICK, SECOND, MINUTE = timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1)
SWEEP: dict[str, Any] = {"name": "a test's", "dataset": Dataset.CONTRACTS, "scope": Scope(region_id=1)}
EVERY_MINUTE = Definition(**SWEEP, kind="interval", every_seconds=60)
EVERY_SEVEN = Definition(**SWEEP, kind="interval", every_seconds=420, offset_seconds=13)
CRON = Definition(**SWEEP, kind="cron", cron="*/5 * * * *", zone="Europe/Berlin")
UPSTREAM = Definition(**SWEEP, kind="upstream", every_seconds=1800, min_seconds=30, max_seconds=3600)


@dataclass(frozen=True)
class Line:
    """A line as an audit sees it, and as it is folded."""

    seen: Seen
    old: Old

    @property
    def slot_at(self) -> datetime:
        return self.seen.slot_at


@dataclass(frozen=True)
class Ledger:
    """Lines, ascending, and what governed them."""

    governed: list[Governed]
    lines: list[Line]
    undecided: datetime


def line(
    slot_at: datetime, *, well: bool = True, asked: bool = False, late_ms: int = 0, run_id: object | None = None
) -> Line:
    decided_at = slot_at + timedelta(milliseconds=late_ms)
    return Line(
        Seen(slot_at, decided_at, asked, run_id),
        Old(slot_at, decided_at, late_ms, well and not asked, asked, run_id is not None),
    )


def ledger(luck: Random) -> Ledger:
    """Some definitions one after the other, with slots that are missing, too many, failed, asked for, or two's run."""
    begins = [NOON]
    for _ in range(luck.randrange(4)):
        begins.append(begins[-1] + luck.randrange(1, 20_000) * SECOND)
    undecided = begins[-1] + luck.randrange(1, 20_000) * SECOND
    definitions = [luck.choice((EVERY_MINUTE, EVERY_SEVEN, CRON, UPSTREAM, None)) for _ in begins]
    governed = spans(list(zip(begins, definitions, strict=True)))
    careless = luck.choice((0, 0.02, 0.2))
    slots: set[datetime] = set()
    for span in governed:
        slots |= {slot for slot in own_slots(span, undecided, luck) if luck.random() >= careless}
    strangers = {NOON + luck.randrange(40_000_000) * timedelta(milliseconds=1) for _ in range(luck.randrange(4))}
    slots |= {slot for slot in strangers if slot < undecided}
    lines = [
        line(
            slot,
            well=luck.random() >= careless,
            asked=luck.random() < careless / 2,
            late_ms=luck.randrange(2_000),
            run_id=number,
        )
        for number, slot in enumerate(sorted(slots))
    ]
    return Ledger(governed, with_twins(lines, luck), undecided)


def own_slots(span: Governed, undecided: datetime, luck: Random) -> Sequence[datetime]:
    until = min(span.until or undecided, undecided)
    if span.definition is None:
        return ()
    if span.definition.kind != "upstream":
        return slots_of(span.definition).between(span.since, until - TICK, at_most=10_000)
    found, slot = [], span.since
    while slot < until:
        found.append(slot)
        slot += luck.choice((30, 45, 900, 3_550, 3_590, 3_700)) * SECOND + luck.randrange(3_000) * TICK
    return found


def with_twins(lines: list[Line], luck: Random) -> list[Line]:
    """Some runs stand for two slots. Lines of such are not folded."""
    if len(lines) < 2 or luck.random() < 0.5:
        return lines
    for one, other in [luck.sample(range(len(lines)), 2)]:
        for index in (one, other):
            twin = lines[index]
            lines[index] = Line(replace(twin.seen, run_id="twin"), replace(twin.old, well=False))
    return lines


def compacted(of: Ledger, *, batch: int, least: int = 2, longest: int = 7) -> tuple[list[Range], list[Line]]:
    """The ranges and the lines that are left, folded a few lines at a time as the scheduler does."""
    ranges: dict[datetime, Range] = {}
    left, after = {each.slot_at: each for each in of.lines}, NOON - MINUTE
    while True:
        last = ranges[max(ranges)] if ranges else None
        onto = last if last is not None and last.last >= after else None
        begin = onto.last if onto else after
        lines = [each for each in of.lines if each.slot_at in left and each.slot_at > begin][:batch]
        done = fold([each.old for each in lines], of.governed, onto=onto, least=least, longest=longest)
        ranges |= {each.first: each for each in done.ranges}
        for slot in done.slots:
            del left[slot]
        if len(lines) < batch:
            return [ranges[first] for first in sorted(ranges)], list(left.values())
        after = lines[-1].slot_at


def audited(of: Ledger, lines: Sequence[Line], ranges: Sequence[Range] = (), since: datetime | None = None) -> Findings:
    governed = of.governed
    if since is not None:
        governed = [replace(span, since=max(span.since, since)) for span in governed]
        lines = [each for each in lines if each.slot_at >= since]
        ranges = [each for each in ranges if each.last >= since]
    audit, waiting = Audit(governed, undecided=of.undecided), list(ranges)
    for each in lines:
        while waiting and waiting[0].first < each.slot_at:
            audit.see_range(waiting.pop(0))
        audit.see(each.seen)
    for these in waiting:
        audit.see_range(these)
    return audit.end()


def summary(findings: Findings) -> tuple[Any, ...]:
    named = sorted((each.slot_at, each.what) for each in findings.named)
    return findings.counts, findings.lines, findings.expected, named if len(named) < 100 else None


@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_an_audit_finds_the_same_before_and_after(luck: Random, batch: int) -> None:
    of = ledger(luck)

    ranges, left = compacted(of, batch=batch)

    assert summary(audited(of, left, ranges)) == summary(audited(of, of.lines))
    assert sum(each.slots for each in ranges) + len(left) == len(of.lines)
    assert {each.slot_at for each in of.lines if not each.old.well} <= {each.slot_at for each in left}


@given(st.randoms(use_true_random=False), st.integers(0, 40_000))
def test_an_audit_of_a_part_names_the_same_though_the_part_begins_within_a_range(luck: Random, begin: int) -> None:
    of, since = ledger(luck), NOON + begin * SECOND

    ranges, left = compacted(of, batch=50)

    before, after = audited(of, of.lines, since=since), audited(of, left, ranges, since=since)
    assert (after.counts, after.named) == (before.counts, before.named)


def whole_hours(hours: int = 3, *, but: frozenset[int] = frozenset()) -> Ledger:
    """Each minute of some hours, without some of them."""
    lines = [line(NOON + number * MINUTE, late_ms=number) for number in range(60 * hours) if number not in but]
    return Ledger([Governed(NOON, None, EVERY_MINUTE)], lines, NOON + 60 * hours * MINUTE)


def test_slots_without_a_gap_become_one_range_that_tells_their_lateness() -> None:
    of = whole_hours()

    (these,), left = compacted(of, batch=50, longest=1_000)

    assert left == []
    assert (these.first, these.last, these.slots) == (NOON, NOON + 179 * MINUTE, 180)
    assert (these.worst_lateness_ms, these.total_lateness_ms) == (179, sum(range(180)))
    assert these.proof == proof(each.slot_at for each in of.lines)


def test_a_gap_stands_between_two_ranges_and_is_named() -> None:
    of = whole_hours(but=frozenset({90}))

    ranges, left = compacted(of, batch=50, longest=1_000)

    assert ([each.slots for each in ranges], left) == ([90, 89], [])
    assert [(each.what, each.slot_at) for each in audited(of, left, ranges).named] == [("gap", NOON + 90 * MINUTE)]


def test_a_few_lines_in_a_row_stay_lines() -> None:
    of = whole_hours(but=frozenset(range(0, 180, 9)))

    assert fold([each.old for each in of.lines], of.governed).slots == []


@pytest.mark.parametrize("change", [{"slots": 179}, {"last": NOON + 178 * MINUTE}, {"proof": bytes(16)}])
def test_what_a_range_cannot_prove_is_missing(change: dict[str, Any]) -> None:
    of = whole_hours()
    (these,), _ = compacted(of, batch=50, longest=1_000)

    assert audited(of, [], [replace(these, **change)]).counts == {"gap": 180, "double": 0, "stranger": 0}


def test_a_slot_that_has_a_line_beside_its_range_or_two_ranges_is_a_double() -> None:
    of = whole_hours()
    (these,), _ = compacted(of, batch=50, longest=1_000)
    (part,) = fold([each.old for each in of.lines[100:120]], of.governed).ranges

    beside = audited(of, [of.lines[100]], [these])
    twice = audited(of, [], [these, part])

    assert [(each.what, each.slot_at) for each in beside.named] == [("double", NOON + 100 * MINUTE)]
    assert twice.counts == {"gap": 0, "double": 20, "stranger": 0}
