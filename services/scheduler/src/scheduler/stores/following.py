"""Moving the next slot of schedules that follow upstream, by what runs tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.events import Dataset, Scope
from common.slots import latest
from common.tables import schedules
from scheduler.stores.schedules import CHANNEL, upstream_of

TOLD = text("""
/* following.told: what is old news touches nothing, so that it never holds a schedule up */
SELECT schedule_id FROM schedules
 WHERE kind = 'upstream' AND dataset = :dataset AND scope = :scope
   AND (fresh_until IS NULL OR fresh_until < :fresh_until)
 ORDER BY schedule_id FOR UPDATE
""").bindparams(bindparam("scope", type_=JSONB))

DECIDED = text("""
/* following.decided: read once the schedules are ours, so that no slot is decided meanwhile */
SELECT s.schedule_id, s.every_seconds, s.min_seconds, s.max_seconds, s.next_due_at, s.fresh_until,
       coalesce(newest.decided_at, s.created_at) AS decided_at, fired.decided_at AS fired_at
  FROM schedules s
  LEFT JOIN LATERAL (
    SELECT slot.decided_at FROM schedule_slots slot
     WHERE slot.schedule_id = s.schedule_id ORDER BY slot.slot_at DESC LIMIT 1) newest ON true
  LEFT JOIN LATERAL (
    SELECT slot.decided_at FROM schedule_slots slot
     WHERE slot.schedule_id = s.schedule_id AND slot.fate = 'fired' ORDER BY slot.slot_at DESC LIMIT 1) fired ON true
 WHERE s.schedule_id = ANY(:schedule_ids) ORDER BY s.schedule_id
""")


@dataclass(frozen=True, slots=True)
class Moved:
    """A slot that is to come, and when it was to come before."""

    schedule_id: str
    slot_at: datetime
    before: datetime


async def follow(connection: AsyncConnection, dataset: Dataset, scope: Scope, fresh_until: datetime) -> Sequence[Moved]:
    """Take in that upstream has nothing newer for `dataset` and `scope` before `fresh_until`, and return what moved.

    Idempotent and monotonic: an instant that is not later than one that was told before changes nothing.
    """
    told = {"dataset": dataset.value, "scope": msgspec.to_builtins(scope), "fresh_until": fresh_until}
    ids = (await connection.scalars(TOLD, told)).all()
    if not ids:
        return []
    rows = (await connection.execute(DECIDED, {"schedule_ids": ids})).mappings().all()
    return [await _move(connection, row, fresh_until) for row in rows]


async def _move(connection: AsyncConnection, row: Any, told: datetime) -> Moved:
    fresh_until = latest(row["fresh_until"], told)
    slot_at = upstream_of(row).after(row["decided_at"], fired_at=row["fired_at"], fresh_until=fresh_until)
    await connection.execute(
        update(schedules)
        .where(schedules.c.schedule_id == row["schedule_id"])
        .values(fresh_until=fresh_until, next_due_at=slot_at)
    )
    await connection.execute(select(func.pg_notify(CHANNEL, row["schedule_id"])))
    return Moved(row["schedule_id"], slot_at, before=row["next_due_at"])
