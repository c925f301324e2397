"""What operators ask of schedules is done here: each request with its answer in one transaction, in order."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.database import DATABASE_ERRORS
from common.ids import new_id
from common.keys.tokens import Scope
from common.logs import get_logger
from common.messaging.outbox import Outbox
from common.slots import Definition, delay, faults, slots_of, upstream_of
from scheduler import backfilling, firing
from scheduler.fitting import Fitting
from scheduler.stores import claiming, requests, schedules
from scheduler.stores.claiming import Claimed, Line
from scheduler.stores.requests import Answer, Request
from scheduler.stores.schedules import Next

log = get_logger(__name__)

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Means:
    """What controls are done with."""

    outbox: Outbox
    fitting: Fitting


class Controls:
    """Does what operators ask for; of several replicas one at a time."""

    def __init__(self, engine: AsyncEngine, outbox: Outbox) -> None:
        self._engine = engine
        self._means = Means(outbox, Fitting())

    async def apply(self) -> int:
        """Answer every request that waits, and return how many there were."""
        done = 0
        while await self._next():
            done += 1
        return done

    async def _next(self) -> bool:
        async with self._engine.begin() as connection:
            request = await requests.oldest(connection)
            if request is None:
                return False
            given = await self._done(connection, request)
            await requests.answer(connection, request, given)
            await requests.forget_old(connection)
            await schedules.tell(connection)
        log.info(
            "schedule request",
            request_id=str(request.request_id),
            schedule_id=request.schedule_id,
            control=request.control,
            status=given.status,
        )
        return True

    async def _done(self, connection: AsyncConnection, request: Request) -> Answer:
        """Do it or leave everything as it was; one that breaks must not stand in the way of those behind it."""
        try:
            async with connection.begin_nested() as savepoint:
                given = await self._do(connection, request)
                if given.status >= HTTPStatus.BAD_REQUEST:
                    await savepoint.rollback()
                return given
        except (SQLAlchemyError, *DATABASE_ERRORS, OSError):
            raise
        except (msgspec.ValidationError, KeyError) as error:
            return Answer(422, f"this cannot be understood: {error}")
        except Exception:
            log.exception("schedule request failed", control=request.control, schedule_id=request.schedule_id)
            return Answer(500, "this went wrong; the scheduler's log says how")

    async def _do(self, connection: AsyncConnection, request: Request) -> Answer:
        if request.control == "create":
            return await create(connection, self._means, request)
        claimed, unreadable = await claiming.claim_one(connection, request.schedule_id)
        if claimed is None and unreadable is None:
            return Answer(404, f"There is no schedule {request.schedule_id}")
        if claimed is None:
            return await _mend(connection, self._means, request, unreadable or "")
        if request.if_version is not None and request.if_version != claimed.version:
            return Answer(412, f"The schedule has changed since: it is at version {claimed.version}")
        if request.control in CAUSING and not _may_cause(request, claimed.definition):
            return Answer(403, "What this schedule emits takes the scope operate")
        control = CONTROLS.get(request.control)
        return (
            Answer(422, f"there is no control {request.control}")
            if control is None
            else await control(connection, self._means, claimed, request)
        )


async def create(connection: AsyncConnection, means: Means, request: Request) -> Answer:
    """Store a schedule that begins now."""
    moment = await schedules.now(connection)
    definition = _definition(request.body)
    wrong = faults(definition, now=moment)
    if wrong:
        return Answer(422, errors=wrong)
    refused = None if request.body.get("paused") else await means.fitting.refusal(connection, request, definition)
    if refused is not None:
        return refused
    upcoming = _first(request.schedule_id, definition, moment)
    if not await schedules.create(connection, request.schedule_id, definition, upcoming, **_state(request.body)):
        return Answer(409, f"There is a schedule {request.schedule_id} already")
    return Answer(201)


async def replace(connection: AsyncConnection, means: Means, claimed: Claimed, request: Request) -> Answer:
    """Let a new definition govern from now on; what came before is decided by the old one first."""
    moment = claimed.standing.now
    definition = _definition(request.body)
    wrong = {} if definition == claimed.definition else faults(definition, now=moment)
    if wrong:
        return Answer(422, errors=wrong)
    paused = request.body.get("paused", claimed.standing.paused)
    refused = None if paused else await _crowding(connection, means, claimed, request, definition)
    if refused is not None:
        return refused
    if definition == claimed.definition:
        await schedules.change(connection, request.schedule_id, **_state(request.body))
        return Answer()
    settled = await firing.settle(connection, means.outbox, claimed)
    upcoming = _upcoming(settled, definition)
    await schedules.replace(
        connection, request.schedule_id, definition, upcoming, from_at=moment + TICK, **_state(request.body)
    )
    return Answer()


async def delete(connection: AsyncConnection, means: Means, claimed: Claimed, request: Request) -> Answer:
    """Delete it; slots that have come and are not decided do not fire any more, but are on record."""
    resting = replaced(claimed, standing=replaced(claimed.standing, paused=True))
    if resting.standing.buffered is not None:
        await firing.release(connection, means.outbox, [resting])
    await firing.settle(connection, means.outbox, resting)
    await schedules.remove(connection, request.schedule_id, from_at=claimed.standing.now + TICK)
    return Answer(204)


async def pause(connection: AsyncConnection, means: Means, claimed: Claimed, request: Request) -> Answer:
    """Fire nothing from now on, also not what has come and is not decided."""
    del means, claimed
    await schedules.change(connection, request.schedule_id, paused=True, **_note(request.body))
    return Answer()


async def resume(connection: AsyncConnection, means: Means, claimed: Claimed, request: Request) -> Answer:
    """Fire again from the next slot on; those that came meanwhile stay skipped."""
    refused = await _crowding(connection, means, claimed, request, claimed.definition)
    if refused is not None:
        return refused
    await firing.settle(connection, means.outbox, claimed)
    await schedules.change(connection, request.schedule_id, paused=False, note=request.body.get("note"))
    return Answer()


async def trigger(connection: AsyncConnection, means: Means, claimed: Claimed, request: Request) -> Answer:
    """Fire now, also a paused schedule, whatever is under way."""
    standing = claimed.standing
    run_id = new_id() if standing.causes_runs else None
    line = Line(request.schedule_id, standing.now, standing.now, "fired", standing.now, run_id)
    recorded = await claiming.record(connection, [line], request_id=request.request_id)
    if not recorded:  # a slot of the schedule's own in this very microsecond
        return Answer(409, "A slot came just now")
    await claiming.move_on(connection, [firing.out_of_turn(claimed, line)])
    await means.outbox.write(connection, [firing.told(claimed, line)])
    ids = {"run_id": str(run_id) if run_id else None, "event_id": str(line.event_id)}
    return Answer(result={"slot_at": standing.now.isoformat(), **ids})


async def skip_next(connection: AsyncConnection, means: Means, claimed: Claimed, request: Request) -> Answer:
    """Let the next slot pass."""
    del means
    if claimed.standing.next_slot_at is None:
        return Answer(409, "No slot is to come")
    await schedules.change(connection, request.schedule_id, skip_next=True)
    return Answer(result={"slot_at": claimed.standing.next_slot_at.isoformat()})


async def backfill(connection: AsyncConnection, means: Means, claimed: Claimed, request: Request) -> Answer:
    """Make up for slots of the past."""
    return await backfilling.backfill(connection, means.outbox, claimed, request)


CONTROLS: Mapping[str, Callable[[AsyncConnection, Means, Claimed, Request], Awaitable[Answer]]] = {
    "replace": replace,
    "delete": delete,
    "pause": pause,
    "resume": resume,
    "trigger": trigger,
    "skip_next": skip_next,
    "backfill": backfill,
}
CAUSING = frozenset({"resume", "trigger", "backfill"})
"""Controls after which a slot fires that would not have."""


async def _mend(connection: AsyncConnection, means: Means, request: Request, fault: str) -> Answer:
    """A schedule that cannot be read can be replaced or deleted, and nothing else."""
    moment = await schedules.now(connection)
    if request.control == "delete":
        await schedules.remove(connection, request.schedule_id, from_at=moment)
        return Answer(204)
    if request.control != "replace":
        return Answer(409, f"The schedule cannot be read: {fault}")
    definition = _definition(request.body)
    wrong = faults(definition, now=moment)
    if wrong:
        return Answer(422, errors=wrong)
    refused = None if request.body.get("paused", True) else await means.fitting.refusal(connection, request, definition)
    if refused is not None:
        return refused
    upcoming = _first(request.schedule_id, definition, moment + TICK)
    await schedules.replace(
        connection, request.schedule_id, definition, upcoming, from_at=moment + TICK, **_state(request.body)
    )
    return Answer()


async def _crowding(
    connection: AsyncConnection, means: Means, claimed: Claimed, request: Request, definition: Definition
) -> Answer | None:
    """Why `definition` cannot take the place of what is at work now, if it cannot."""
    before = None if claimed.standing.paused else claimed.definition
    return None if definition == before else await means.fitting.refusal(connection, request, definition, before=before)


def _may_cause(request: Request, definition: Definition) -> bool:
    """A key of the scope `schedules` may have datasets read; what else there is to emit is the operators'."""
    return definition.action == "ingest" or Scope.OPERATE in request.scopes


def _definition(body: Mapping[str, Any]) -> Definition:
    return msgspec.convert(body["definition"], Definition)


def _state(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a body says of a schedule's state, beside its definition."""
    return {name: body[name] for name in ("paused", "note") if name in body}


def _note(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"note": body["note"]} if body.get("note") is not None else {}


def _first(schedule_id: str, definition: Definition, moment: datetime) -> Next:
    """The first slot that is not before `moment`."""
    if definition.kind == "upstream":
        slot = max(moment, definition.start_at or moment)
        return Next(slot, slot)
    upcoming = slots_of(definition).at_or_after(moment)
    if upcoming is None:
        return Next(None, None)
    late = delay(schedule_id, upcoming, most=timedelta(seconds=definition.jitter_seconds))
    return Next(upcoming, upcoming + late)


def _upcoming(settled: Claimed, definition: Definition) -> Next:
    """The first slot of a new definition. One that goes on following upstream knows what was told."""
    standing = settled.standing
    if definition.kind == settled.definition.kind == "upstream":
        decided_at = standing.decided_at or standing.now
        slot = upstream_of(definition).after(decided_at, fired_at=standing.fired_at, fresh_until=standing.fresh_until)
        slot = max(slot, standing.now + TICK, definition.start_at or slot)
        return Next(slot, slot)
    return _first(standing.schedule_id, definition, standing.now + TICK)
