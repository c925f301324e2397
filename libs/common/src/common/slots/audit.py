"""Holding a ledger to the slots that there should be, line by line, so that its length does not matter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from common.slots.definition import Definition, slots_of, upstream_of

NAMED = 100
"""Findings that are named for each schedule; all are counted."""
_CHUNK = 1_000
_TICK = timedelta(microseconds=1)

What = Literal["gap", "double", "stranger"]


@dataclass(frozen=True, slots=True)
class Governed:
    """A span of time, its end not included, and the definition that governed its slots; None where there was none."""

    since: datetime
    until: datetime | None
    definition: Definition | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A line of the ledger; `asked`: somebody asked for it, so it need not be one of the schedule's own."""

    slot_at: datetime
    decided_at: datetime
    asked: bool
    run_id: object | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A slot without a line (gap), a run that stands for two (double), or a line that is no slot (stranger)."""

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
    """Audits one schedule. Its lines are shown in ascending order; from `undecided` on slots may be without one."""

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
        span = self._span_of(line.slot_at)
        if line.asked or line.slot_at < self._since:
            return
        if span is None or span.definition is None or span.definition.kind != "upstream":
            self.findings.add("stranger", line.slot_at)
        else:
            self._follow(line, span, span.definition)

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

    def _span_of(self, slot: datetime) -> Governed | None:
        for span in reversed(self._governed):
            if span.since <= slot:
                return span if span.until is None or slot < span.until else None
        return None


def spans(versions: Sequence[tuple[datetime, Definition | None]]) -> list[Governed]:
    """The spans that `versions` governed, each from its instant until the next one's; ascending."""
    ends: list[datetime | None] = [since for since, _ in versions[1:]]
    return [
        Governed(since, until, definition) for (since, definition), until in zip(versions, [*ends, None], strict=True)
    ]
