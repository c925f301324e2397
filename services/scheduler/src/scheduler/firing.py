"""Deciding claimed schedules: lines, events and the next instants are one transaction, the caller's."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from common.events import Dataset, ScheduleDue
from common.ids import new_id
from common.logs import get_logger
from common.messaging.outbox import Message, Outbox
from common.slots import event_id
from scheduler.domain.plan import Decided, Plan, due_at, plan
from scheduler.stores.claiming import Claimed, Line, Move, move_on, record

log = get_logger(__name__)

Decision = tuple[Claimed, Plan]


async def decide(connection: AsyncConnection, outbox: Outbox, claimed: Sequence[Claimed]) -> int:
    """Decide the slots that have come of `claimed`, and return how many were decided."""
    return await _write(connection, outbox, [(each, plan(each.standing)) for each in claimed]) if claimed else 0


async def release(connection: AsyncConnection, outbox: Outbox, claimed: Sequence[Claimed]) -> int:
    """Fire the slots that waited for runs which are over; a paused schedule's is skipped."""
    return await _write(connection, outbox, [(each, _released(each)) for each in claimed]) if claimed else 0


async def settle(connection: AsyncConnection, outbox: Outbox, claimed: Claimed) -> Claimed:
    """Decide every slot up to this instant, due or not, and return how the schedule stands then."""
    standing = replace(claimed.standing, jitter=timedelta())
    while standing.next_slot_at is not None and standing.next_slot_at <= standing.now:
        decision = plan(standing)
        decision = replace(
            decision, next_due_at=decision.next_slot_at and due_at(claimed.standing, decision.next_slot_at)
        )
        await _write(connection, outbox, [(replace(claimed, standing=standing), decision)])
        fired = any(each.fate == "fired" for each in decision.decided)
        standing = replace(
            standing,
            next_slot_at=decision.next_slot_at,
            next_due_at=decision.next_due_at,
            buffered=decision.buffered,
            skip_next=standing.skip_next and not decision.decided,
            busy=standing.busy or (fired and standing.causes_runs),
            fired_at=standing.now if fired else standing.fired_at,
            decided_at=standing.now if decision.decided else standing.decided_at,
        )
    return replace(claimed, standing=replace(standing, jitter=claimed.standing.jitter))


async def remind(connection: AsyncConnection, outbox: Outbox, due: Mapping[str, datetime]) -> int:
    """Tell of datasets that work of theirs has come due which was put off, and return of how many."""
    datasets = {each.value: each for each in Dataset}
    for unknown in due.keys() - datasets:
        log.error("timer of an unknown dataset", dataset=unknown)
    events = [
        ScheduleDue(schedule_id=f"deferred:{name}", slot_at=due_at, action="reconcile", dataset=datasets[name])
        for name, due_at in due.items()
        if name in datasets
    ]
    await outbox.write(connection, events)
    return len(events)


def out_of_turn(claimed: Claimed, fired: Line) -> Move:
    """The schedule's row after a slot that somebody asked for: its own next one comes as it would have."""
    standing = claimed.standing
    return Move(
        schedule_id=standing.schedule_id,
        slot_at=standing.next_slot_at,
        due_at=standing.next_due_at,
        buffered=standing.buffered,
        decided=False,
        now=standing.now,
        fired_at=standing.now,
        run_id=fired.run_id,
    )


def told(claimed: Claimed, line: Line) -> Message:
    """What a slot that fires emits, as of the slot's instant and under an id of its own."""
    due = claimed.emits or ScheduleDue(
        schedule_id=line.schedule_id,
        slot_at=line.slot_at,
        action="reconcile" if claimed.definition.action == "reconcile" else "ingest",
        run_id=line.run_id,
        dataset=claimed.definition.dataset,
        scope=claimed.definition.scope,
    )
    return Message(due, event_id(line.schedule_id, line.slot_at), line.slot_at)


async def _write(connection: AsyncConnection, outbox: Outbox, decisions: Sequence[Decision]) -> int:
    lines = [line for claimed, decision in decisions for line in _lines(claimed, decision)]
    recorded = await record(connection, lines)
    fired = {line.schedule_id: line for line in lines if line.fate == "fired" and _key(line) in recorded}
    await move_on(
        connection, [_move(each, decision, fired.get(each.standing.schedule_id)) for each, decision in decisions]
    )
    of = {claimed.standing.schedule_id: claimed for claimed, _ in decisions}
    await outbox.write(
        connection,
        [told(of[line.schedule_id], line) for line in lines if line.fate == "fired" and _key(line) in recorded],
    )
    return len(recorded)


def _released(claimed: Claimed) -> Plan:
    standing = claimed.standing
    assert standing.buffered is not None
    slot = standing.buffered
    decided = Decided(slot, slot, "skipped_paused") if standing.paused else Decided(slot, slot, "fired")
    return Plan([decided], None, standing.next_slot_at, standing.next_due_at)


def _lines(claimed: Claimed, decision: Plan) -> list[Line]:
    standing = claimed.standing
    return [
        Line(
            schedule_id=standing.schedule_id,
            slot_at=each.slot_at,
            due_at=each.due_at,
            fate=each.fate,
            decided_at=standing.now,
            run_id=new_id() if each.fate == "fired" and standing.causes_runs else None,
        )
        for each in decision.decided
    ]


def _move(claimed: Claimed, decision: Plan, fired: Line | None) -> Move:
    return Move(
        schedule_id=claimed.standing.schedule_id,
        slot_at=decision.next_slot_at,
        due_at=decision.next_due_at,
        buffered=decision.buffered,
        decided=bool(decision.decided),
        now=claimed.standing.now,
        fired_at=claimed.standing.now if fired else None,
        run_id=fired.run_id if fired else None,
    )


def _key(line: Line) -> tuple[str, datetime]:
    return line.schedule_id, line.slot_at
