"""Folding old lines of a ledger into ranges, such that every slot can still be told and every flaw still be found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b

from common.slots.definition import Definition, slots_of, upstream_of
from common.slots.governing import Governed, span_of
from common.slots.interval import EPOCH

LONGEST = 2_000
"""Slots of one range: as many as an audit tells one after the other without letting others get their turn."""
LEAST = 10
"""Fewer lines than this in a row take hardly more room than their range."""
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Old:
    """A line of the ledger. One that is not `well` stays a line; `asked`: somebody asked for it, so it does as well."""

    slot_at: datetime
    decided_at: datetime
    lateness_ms: int
    well: bool
    asked: bool = False
    has_run: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """Slots that came one after the other as their schedule's definition says, and all fired and went well.

    `proof` is made of each slot. Of a schedule that follows upstream it cannot be made again from the definition; there
    the range says that each slot came within the bounds of the decision before it, and `decided_at` when its last was.
    """

    first: datetime
    last: datetime
    slots: int
    runs: int
    proof: bytes
    decided_at: datetime
    worst_lateness_ms: int
    total_lateness_ms: int


@dataclass(frozen=True, slots=True)
class Folded:
    """Ranges that are new or longer than before, and the slots whose lines they stand for from now on."""

    ranges: Sequence[Range]
    slots: Sequence[datetime]


def proof(slots: Iterable[datetime], *, after: bytes = b"") -> bytes:
    """A digest of all `slots` in their order, going on from that of the slots before them."""
    for slot in slots:
        after = blake2b(after + ((slot - EPOCH) // _TICK).to_bytes(8, signed=True), digest_size=16).digest()
    return after


def fold(
    lines: Iterable[Old],
    governed: Sequence[Governed],
    *,
    onto: Range | None = None,
    least: int = LEAST,
    longest: int = LONGEST,
) -> Folded:
    """Fold what may be of `lines`, which ascend, and go on with the range `onto` that came before the first of them.

    A range ends where a slot is missing, at a line that stays, and where another definition begins to govern. So what
    an audit finds of the lines it finds of the ranges and the lines that are left.
    """
    folding = _Folding(governed, onto, least, longest)
    for line in lines:
        if not line.asked:
            folding.see(line)
    return folding.end()


class _Folding:
    def __init__(self, governed: Sequence[Governed], onto: Range | None, least: int, longest: int) -> None:
        self._governed = governed
        self._least = least
        self._longest = longest
        self._range = onto
        self._span = None if onto is None else span_of(governed, onto.last)
        self._is_stored = onto is not None
        self._slots: list[datetime] = []
        """Of the range that is not done yet, those whose lines are still there."""
        self._ranges: list[Range] = []
        self._folded: list[datetime] = []

    def see(self, line: Old) -> None:
        span = span_of(self._governed, line.slot_at)
        definition = span.definition if span is not None else None
        if definition is None or not line.well or not _is_slot(line.slot_at, definition):
            self._finish()
            return
        if self._range is None or span != self._span or not self._goes_on(self._range, line.slot_at, definition):
            self._finish()
            self._range, self._span = _empty(line), span
        self._range = _with(self._range, line)
        self._slots.append(line.slot_at)

    def end(self) -> Folded:
        self._finish()
        return Folded(self._ranges, self._folded)

    def _goes_on(self, before: Range, slot: datetime, definition: Definition) -> bool:
        return before.slots < self._longest and _follows(slot, before, definition)

    def _finish(self) -> None:
        if self._range is not None and self._slots and (self._is_stored or self._range.slots >= self._least):
            self._ranges.append(self._range)
            self._folded += self._slots
        self._range, self._is_stored, self._slots = None, False, []


def _is_slot(slot: datetime, definition: Definition) -> bool:
    return definition.kind == "upstream" or slots_of(definition).at_or_after(slot) == slot


def _follows(slot: datetime, before: Range, definition: Definition) -> bool:
    if definition.kind != "upstream":
        return slots_of(definition).after(before.last) == slot
    upstream = upstream_of(definition)
    return before.decided_at + upstream.floor <= slot <= before.decided_at + upstream.cap


def _empty(line: Old) -> Range:
    return Range(line.slot_at, line.slot_at, 0, 0, b"", line.decided_at, 0, 0)


def _with(before: Range, line: Old) -> Range:
    return replace(
        before,
        last=line.slot_at,
        slots=before.slots + 1,
        runs=before.runs + line.has_run,
        proof=proof([line.slot_at], after=before.proof),
        decided_at=line.decided_at,
        worst_lateness_ms=max(before.worst_lateness_ms, line.lateness_ms),
        total_lateness_ms=before.total_lateness_ms + line.lateness_ms,
    )
