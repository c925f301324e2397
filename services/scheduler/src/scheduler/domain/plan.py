"""From what stands of a schedule to what is to be written of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from common.slots import Slots, Upstream, delay
from scheduler.domain.fates import Fate, Rules, Situation, decide

SLOTS_AT_ONCE = 1_000
"""Slots of one schedule in one transaction: a year's outage of a schedule by the second is 31 million."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A schedule and what has become of it so far."""

    schedule_id: str
    timing: Slots | Upstream
    rules: Rules
    jitter: timedelta
    causes_runs: bool
    end: datetime | None
    next_slot_at: datetime | None
    next_due_at: datetime | None
    buffered: datetime | None
    paused: bool
    skip_next: bool
    busy: bool
    now: datetime
    decided_at: datetime | None
    fired_at: datetime | None
    fresh_until: datetime | None


@dataclass(frozen=True, slots=True)
class Decided:
    """A slot, when it was due, and its fate."""

    slot_at: datetime
    due_at: datetime
    fate: Fate


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written: decided slots, the one that waits, and the one that comes next."""

    decided: Sequence[Decided]
    buffered: datetime | None
    next_slot_at: datetime | None
    next_due_at: datetime | None


def plan(standing: Standing) -> Plan:
    """Decide the slots that have come due, of very many the oldest."""
    if isinstance(standing.timing, Upstream):
        return _following(standing, standing.timing)
    return _by_calendar(standing, standing.timing)


def due_at(standing: Standing, slot: datetime) -> datetime:
    """When a slot is due: its jitter later."""
    return slot + delay(standing.schedule_id, slot, most=standing.jitter)


def _by_calendar(standing: Standing, slots: Slots) -> Plan:
    now, first = standing.now, standing.next_slot_at
    if first is None:
        return Plan([], standing.buffered, None, None)
    come = slots.between(first, now, at_most=SLOTS_AT_ONCE)
    due = list(takewhile(lambda pair: pair[1] <= now, ((slot, due_at(standing, slot)) for slot in come)))
    upcoming = slots.after(due[-1][0]) if due else slots.at_or_after(first)
    next_due_at = None if upcoming is None else due_at(standing, upcoming)
    newer_to_come = next_due_at is not None and next_due_at <= now
    return _decided(standing, due, newer_to_come=newer_to_come, next_slot_at=upcoming, next_due_at=next_due_at)


def _following(standing: Standing, upstream: Upstream) -> Plan:
    slot = standing.next_slot_at
    come = [(slot, slot)] if slot is not None and slot <= standing.now else []
    this = _decided(standing, come, newer_to_come=False, next_slot_at=None, next_due_at=None)
    fired = any(each.fate == "fired" for each in this.decided)
    fired_at = standing.now if fired else standing.fired_at
    upcoming = upstream.after(standing.now, fired_at=fired_at, fresh_until=standing.fresh_until) if come else slot
    if upcoming is not None and standing.end is not None and upcoming >= standing.end:
        upcoming = None
    return Plan(this.decided, this.buffered, upcoming, upcoming)


def _decided(
    standing: Standing,
    due: Sequence[tuple[datetime, datetime]],
    *,
    newer_to_come: bool,
    next_slot_at: datetime | None,
    next_due_at: datetime | None,
) -> Plan:
    at = Situation(
        now=standing.now,
        busy=standing.busy,
        paused=standing.paused,
        skip_next=standing.skip_next,
        newer_to_come=newer_to_come,
        causes_runs=standing.causes_runs,
    )
    decision = decide(due, standing.rules, at, buffered=standing.buffered)
    when = dict(due)
    decided = [Decided(slot, when[slot], fate) for slot, fate in decision.fates]
    return Plan(decided, decision.buffered, next_slot_at, next_due_at)
