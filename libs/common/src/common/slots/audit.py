"""Holding a ledger to the slots that there should be, line by line and range by range: its length does not matter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from common.slots.definition import Definition, slots_of, upstream_of
from common.slots.folding import Range, proof
from common.slots.governing import Governed, span_of

NAMED = 100
"""Findings that are named for each schedule; all are counted."""
_CHUNK = 1_000
_TICK = timedelta(microseconds=1)

What = Literal["gap", "double", "stranger"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A line of the ledger; `asked`: somebody asked for it, so it need not be one of the schedule's own."""

    slot_at: datetime
    decided_at: datetime
    asked: bool
    run_id: object | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A slot without a line (gap), with two or with another's run (double), or a line that is no slot (stranger)."""

    what: What
    slot_at: datetime


@dataclass(slots=True)
class Findings:
    """What is wrong with one schedule's ledger."""

    lines: int = 0
    expected: int = 0
    counts: dict[What, int] = field(default_factory=lambda: {"gap": 0, "double": 0, "stranger": 0})
    named: list[Finding] = field(default_factory=list)

    def add(self, what: What, slot_at: datetime) -> None:
        self.counts[what] += 1
        if len(self.named) < NAMED:
            self.named.append(Finding(what, slot_at))

    @property
    def is_clean(self) -> bool:
        return not any(self.counts.values())


class Audit:
    """Audits one schedule. From `undecided` on slots may be without a line.

    Its lines are shown in ascending order, and each range before the first line that is later than its first slot.
    """

    def __init__(self, governed: Sequence[Governed], *, undecided: datetime, waiting: datetime | None = None) -> None:
        self.findings = Findings()
        self._governed = [span for span in governed if span.since < undecided]
        self._undecided = undecided
        self._waiting = waiting
        self._expected = self._calendar()
        self._next = next(self._expected, None)
        self._decided_at: datetime | None = None
        self._span: Governed | None = None
        self._runs: set[object] = set()
        self._range: Range | None = None

    def see(self, line: Seen) -> None:
        """Take in the next line."""
        self.findings.lines += 1
        self._reach(line.slot_at)
        if line.run_id is not None:
            if line.run_id in self._runs:
                self.findings.add("double", line.slot_at)
            self._runs.add(line.run_id)
        if self._next == line.slot_at:
            self._advance()
            return
        if self._is_folded(line.slot_at):
            self.findings.add("double", line.slot_at)
            return
        span = span_of(self._governed, line.slot_at)
        if line.asked or line.slot_at < self._since:
            return
        if span is None or span.definition is None or span.definition.kind != "upstream":
            self.findings.add("stranger", line.slot_at)
        else:
            self._follow(line, span, span.definition)

    def see_range(self, these: Range) -> None:
        """Take in slots whose lines were folded. Where they cannot be proven, none was seen."""
        span = span_of(self._governed, these.last)
        if these.last < self._since:
            self.findings.lines += these.slots
        elif span is None or span.definition is None:
            self.findings.add("stranger", these.first)
        elif span.definition.kind == "upstream":
            self._reach(these.first)
            self.findings.lines += these.slots
            self._follow(Seen(these.first, these.decided_at, asked=False), span, span.definition)
            self.findings.expected += these.slots - 1
        else:
            slots = slots_of(span.definition).between(these.first, these.last, at_most=these.slots + 1)
            if (len(slots), proof(slots)) == (these.slots, these.proof):
                for slot in slots:
                    if slot >= self._since:
                        self.see(Seen(slot, slot, asked=False))
                self._range = these

    def end(self) -> Findings:
        """All that was found, once every line was shown."""
        self._reach(self._undecided)
        return self.findings

    @property
    def _since(self) -> datetime:
        return self._governed[0].since if self._governed else self._undecided

    def _reach(self, slot: datetime) -> None:
        """Whatever was expected before `slot` and was not shown is a gap."""
        while self._next is not None and self._next < slot:
            if self._next != self._waiting:
                self.findings.add("gap", self._next)
            self._advance()

    def _advance(self) -> None:
        self.findings.expected += 1
        self._next = next(self._expected, None)

    def _calendar(self) -> Iterator[datetime]:
        for span in self._governed:
            if span.definition is not None and span.definition.kind != "upstream":
                slots = slots_of(span.definition)
                last = min(span.until or self._undecided, self._undecided) - _TICK
                first = span.since
                while some := slots.between(first, last, at_most=_CHUNK):
                    yield from some
                    first = some[-1] + _TICK

    def _follow(self, line: Seen, span: Governed, definition: Definition) -> None:
        """A slot that follows upstream is due within bounds of the decision before it."""
        upstream = upstream_of(definition)
        before = self._decided_at if self._span == span else None
        self._span, self._decided_at = span, line.decided_at
        self.findings.expected += 1
        if before is None or line.slot_at == definition.start_at:
            return
        if line.slot_at > before + upstream.cap:
            self.findings.add("gap", before + upstream.cap)
        elif line.slot_at < before + upstream.floor:
            self.findings.add("stranger", line.slot_at)

    def _is_folded(self, slot: datetime) -> bool:
        """Whether the last range stands for it."""
        if self._range is None or not self._range.first <= slot <= self._range.last:
            return False
        span = span_of(self._governed, self._range.last)
        return span is not None and span.definition is not None and slots_of(span.definition).at_or_after(slot) == slot
