"""Claiming what is due and writing what became of it: whole batches in a statement, on the database's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.events import Event
from common.slots import Definition, event_id, event_of, slots_of, upstream_of
from scheduler.domain.fates import Rules
from scheduler.domain.plan import Standing
from scheduler.stores.schedules import definition_of

BATCH = 250
"""Two of them side by side keep a burst of ten thousand below 90 MB."""

# A run that is past its list no longer overlaps; one of which nothing is known is on its way, as long as it is sent
# again when it is lost.
_BUSY = """
s.last_run_id IS NOT NULL AND s.last_fired_at > statement_timestamp() - interval '7 days'
AND coalesce(run.state IN ('queued', 'running') AND run.listed_at IS NULL, true)
"""
_STANDING = f"""
SELECT s.*, clock_timestamp() AS now, {_BUSY} AS busy
  FROM schedules s LEFT JOIN runs run ON run.run_id = s.last_run_id
"""  # noqa: S608 - constants
# What another replica holds is its to fire.
DUE = f"""
/* schedules.due */ {_STANDING}
 WHERE s.next_due_at <= statement_timestamp() ORDER BY s.next_due_at LIMIT {BATCH} FOR UPDATE OF s SKIP LOCKED
"""
RELEASED = f"""
/* schedules.released: a slot waits for a run, and that run is over */ {_STANDING}
 WHERE s.buffered_slot_at IS NOT NULL AND NOT ({_BUSY}) LIMIT {BATCH} FOR UPDATE OF s SKIP LOCKED
"""
ONE = f"""
/* schedules.one: waits for whoever decides it just now */ {_STANDING} WHERE s.schedule_id = $1 FOR UPDATE OF s
"""
RECORD = """
/* schedules.record */
INSERT INTO schedule_slots (schedule_id, slot_at, fate, decided_at, lateness_ms, run_id, event_id, request_id)
SELECT *, $8::uuid
  FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::timestamptz[], $5::int[], $6::uuid[], $7::uuid[])
ON CONFLICT (schedule_id, slot_at) DO {conflict} RETURNING schedule_id, slot_at
"""
_KEEP = "NOTHING"
# What fired stays what it was: a backfill repeats nothing.
_BACKFILL = """UPDATE SET fate = excluded.fate, decided_at = excluded.decided_at, lateness_ms = excluded.lateness_ms,
    run_id = excluded.run_id, event_id = excluded.event_id, request_id = excluded.request_id
 WHERE schedule_slots.fate NOT IN ('fired', 'backfilled')"""
MOVE_ON = """
/* schedules.move_on */
UPDATE schedules s
   SET next_due_at = m.due_at, next_slot_at = nullif(m.slot_at, m.due_at), buffered_slot_at = m.buffered_slot_at,
       skip_next = s.skip_next AND NOT m.decided,
       last_decided_at = CASE WHEN m.decided THEN m.now ELSE s.last_decided_at END,
       last_fired_at = coalesce(m.fired_at, s.last_fired_at), last_run_id = coalesce(m.run_id, s.last_run_id)
  FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::bool[], $6::timestamptz[],
              $7::timestamptz[], $8::uuid[])
       AS m (schedule_id, slot_at, due_at, buffered_slot_at, decided, now, fired_at, run_id)
 WHERE s.schedule_id = m.schedule_id
"""
FIRED_AMONG = """
/* schedules.fired_among */
SELECT slot_at FROM schedule_slots
 WHERE schedule_id = $1 AND slot_at = ANY($2::timestamptz[]) AND fate IN ('fired', 'backfilled')
"""
LOOK_AHEAD = f"""
/* schedules.look_ahead */
SELECT extract(epoch FROM slot.due_at - clock_timestamp())::float8 AS seconds,
       extract(epoch FROM timer.due_at - clock_timestamp())::float8 AS seconds_to_timer,
       EXISTS (SELECT FROM schedules WHERE buffered_slot_at IS NOT NULL) AS waiting,
       EXISTS (SELECT FROM schedules WHERE next_due_at <= statement_timestamp()
                ORDER BY next_due_at OFFSET {BATCH}) AS crowded,
       EXISTS (SELECT FROM schedule_requests r
                WHERE requested_at > now() - interval '1 day'
                  AND NOT EXISTS (SELECT FROM schedule_answers a WHERE a.request_id = r.request_id)) AS asked
  FROM (SELECT min(next_due_at) AS due_at FROM schedules WHERE next_due_at IS NOT NULL) slot,
       (SELECT min(due_at) AS due_at FROM timers) timer
"""  # noqa: S608 - a constant


@dataclass(frozen=True, slots=True)
class Ahead:
    """Seconds until the next slot and the next timer, whether a slot waits for a run, and whether somebody asks.

    `crowded`: more has come due than one transaction takes.
    """

    slot: float | None
    timer: float | None
    waiting: bool
    crowded: bool
    asked: bool

    @property
    def slot_is_due(self) -> bool:
        return self.slot is not None and self.slot <= 0

    @property
    def timer_is_due(self) -> bool:
        return self.timer is not None and self.timer <= 0

    @property
    def seconds(self) -> float | None:
        """Until whatever comes first."""
        return min((each for each in (self.slot, self.timer) if each is not None), default=None)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A schedule in our hands until the transaction ends; `emits` where that is neither a command nor a look."""

    definition: Definition
    standing: Standing
    version: int
    emits: Event | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger."""

    schedule_id: str
    slot_at: datetime
    due_at: datetime
    fate: str
    decided_at: datetime
    run_id: UUID | None

    @property
    def event_id(self) -> UUID | None:
        """The id of what it emitted, if it did."""
        return event_id(self.schedule_id, self.slot_at) if self.fate in {"fired", "backfilled"} else None


@dataclass(frozen=True, slots=True)
class Move:
    """What a schedule's own row says after slots were decided."""

    schedule_id: str
    slot_at: datetime | None
    due_at: datetime | None
    buffered: datetime | None
    decided: bool
    now: datetime
    fired_at: datetime | None
    run_id: UUID | None


async def claim_due(connection: AsyncConnection) -> tuple[list[Claimed], dict[str, str]]:
    """Schedules that have come due, the oldest first, and what is wrong with those that are of no use."""
    return await _claim(connection, DUE)


async def claim_released(connection: AsyncConnection) -> list[Claimed]:
    """Schedules of which a slot waits for a run that is over."""
    released, _ = await _claim(connection, RELEASED)
    return released


async def claim_one(connection: AsyncConnection, schedule_id: str) -> tuple[Claimed | None, str | None]:
    """One schedule, whether or not it is due, and what is wrong with it; neither if it does not exist."""
    claimed, unreadable = await _claim(connection, ONE, schedule_id)
    return claimed[0] if claimed else None, unreadable.get(schedule_id)


async def record(
    connection: AsyncConnection, lines: Sequence[Line], *, request_id: UUID | None = None, backfill: bool = False
) -> set[tuple[str, datetime]]:
    """Write the ledger and return the slots that had no line in it yet: those that may take effect.

    With `backfill`, also those that had one which says that they were skipped.
    """
    if not lines:
        return set()
    raw = await asyncpg_connection(connection)
    rows = await raw.fetch(
        RECORD.format(conflict=_BACKFILL if backfill else _KEEP),
        [line.schedule_id for line in lines],
        [line.slot_at for line in lines],
        [line.fate for line in lines],
        [line.decided_at for line in lines],
        [_bounded(line.decided_at - line.due_at) for line in lines],
        [line.run_id for line in lines],
        [line.event_id for line in lines],
        request_id,
    )
    return {(row[0], row[1]) for row in rows}


async def move_on(connection: AsyncConnection, moves: Sequence[Move]) -> None:
    raw = await asyncpg_connection(connection)
    await raw.execute(
        MOVE_ON,
        [move.schedule_id for move in moves],
        [move.slot_at for move in moves],
        [move.due_at for move in moves],
        [move.buffered for move in moves],
        [move.decided for move in moves],
        [move.now for move in moves],
        [move.fired_at for move in moves],
        [move.run_id for move in moves],
    )


async def fired_among(connection: AsyncConnection, schedule_id: str, slots: Sequence[datetime]) -> set[datetime]:
    """Those of `slots` that have fired, by themselves or on demand, and still have a line."""
    raw = await asyncpg_connection(connection)
    return {row[0] for row in await raw.fetch(FIRED_AMONG, schedule_id, slots)}


async def look_ahead(connection: AsyncConnection) -> Ahead:
    """What there is to do, and when."""
    row = await (await asyncpg_connection(connection)).fetchrow(LOOK_AHEAD)
    return Ahead(row["seconds"], row["seconds_to_timer"], row["waiting"], row["crowded"], row["asked"])


async def _claim(
    connection: AsyncConnection, statement: str, *arguments: object
) -> tuple[list[Claimed], dict[str, str]]:
    claimed: list[Claimed] = []
    unreadable: dict[str, str] = {}
    for row in await (await asyncpg_connection(connection)).fetch(statement, *arguments):
        try:
            definition = definition_of(row)
            emits = None if definition.emits is None else event_of(definition.emits)
            claimed.append(Claimed(definition, standing_of(definition, row), row["version"], emits))
        except (ValueError, LookupError, msgspec.MsgspecError) as error:
            unreadable[row["schedule_id"]] = str(error)
    return claimed, unreadable


def standing_of(definition: Definition, row: Any) -> Standing:
    """What stands of a schedule. Raises ValueError or LookupError if it has no slots that can be told."""
    window = definition.catchup_seconds
    return Standing(
        schedule_id=row["schedule_id"],
        timing=upstream_of(definition) if definition.kind == "upstream" else slots_of(definition),
        rules=Rules(definition.overlap, definition.catchup, None if window is None else timedelta(seconds=window)),
        jitter=timedelta(seconds=definition.jitter_seconds),
        causes_runs=definition.action == "ingest",
        end=definition.end_at,
        next_slot_at=row["next_slot_at"] or row["next_due_at"],
        next_due_at=row["next_due_at"],
        buffered=row["buffered_slot_at"],
        paused=row["paused"],
        skip_next=row["skip_next"],
        busy=row["busy"],
        now=row["now"],
        decided_at=row["last_decided_at"],
        fired_at=row["last_fired_at"],
        fresh_until=row["fresh_until"],
    )


def _bounded(lateness: timedelta) -> int:
    """In milliseconds: not negative, and at the most what the column holds, which is 24 days."""
    return min(max(int(lateness / timedelta(milliseconds=1)), 0), 2**31 - 1)
