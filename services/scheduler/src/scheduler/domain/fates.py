"""What becomes of the slots that have come due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from common.slots import Catchup, Overlap

Fate = Literal["fired", "skipped_overlap", "skipped_paused", "skipped_catchup", "backfilled"]

PUNCTUAL = timedelta(minutes=1)
"""A slot later than this was missed, for those who want nothing caught up: a restart takes seconds."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a schedule's author wants of slots that meet a run under way, or come late."""

    overlap: Overlap = "skip"
    catchup: Catchup = "latest"
    window: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """What stands when slots are decided."""

    now: datetime
    busy: bool = False
    paused: bool = False
    skip_next: bool = False
    newer_to_come: bool = False
    causes_runs: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """The fate of each slot, and the one that waits for the run under way to end."""

    fates: list[tuple[datetime, Fate]]
    buffered: datetime | None = None


def decide(
    due: Sequence[tuple[datetime, datetime]], rules: Rules, at: Situation, *, buffered: datetime | None = None
) -> Decision:
    """Decide `due`, which are slots and when each was due, both ascending; `buffered` is one that waits already.

    By default only the newest is acted on after an outage: the market has one present, and one reading shows all of it.
    """
    fates: list[tuple[datetime, Fate]] = []
    busy = at.busy
    for number, (slot, due_at) in enumerate(due):
        is_newest = number == len(due) - 1 and not at.newer_to_come
        if at.paused or (at.skip_next and number == 0):
            fates.append((slot, "skipped_paused"))
        elif is_missed(rules, late=at.now - due_at, is_newest=is_newest):
            fates.append((slot, "skipped_catchup"))
        elif not busy or rules.overlap == "allow_all":
            fates.append((slot, "fired"))
            busy = at.causes_runs
        elif rules.overlap == "buffer_one" and buffered is None:
            buffered = slot
        else:
            fates.append((slot, "skipped_overlap"))
    return Decision(fates, buffered)


def is_missed(rules: Rules, *, late: timedelta, is_newest: bool) -> bool:
    """Whether a slot that comes so late is not made up for."""
    if rules.window is not None and late > rules.window:
        return True
    if rules.catchup == "all":
        return False
    return not is_newest or (rules.catchup == "none" and late > PUNCTUAL)
