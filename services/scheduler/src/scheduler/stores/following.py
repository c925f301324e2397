"""Moving the next slot of schedules that follow upstream, by what runs tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.events import Dataset, Scope
from common.slots import latest, upstream_of
from common.tables import schedules
from scheduler.stores.schedules import definition_of, tell

TOLD = text("""
/* following.told: what is old news touches nothing, so that it never holds a schedule up */
SELECT schedule_id FROM schedules
 WHERE kind = 'upstream' AND dataset = :dataset AND scope = :scope
   AND next_due_at IS NOT NULL AND (fresh_until IS NULL OR fresh_until < :fresh_until)
 ORDER BY schedule_id FOR UPDATE
""").bindparams(bindparam("scope", type_=JSONB))

DECIDED = text("""
/* following.decided: read once the schedules are ours, so that no slot is decided meanwhile */
SELECT * FROM schedules WHERE schedule_id = ANY(:schedule_ids) ORDER BY schedule_id
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
    decided_at = row["last_decided_at"] or row["created_at"]
    timing = upstream_of(definition_of(row))
    slot_at: datetime = timing.after(decided_at, fired_at=row["last_fired_at"], fresh_until=fresh_until)
    if row["start_at"] is not None:
        slot_at = max(slot_at, row["start_at"])
    await connection.execute(
        update(schedules)
        .where(schedules.c.schedule_id == row["schedule_id"])
        .values(fresh_until=fresh_until, next_due_at=slot_at)
    )
    await tell(connection, row["schedule_id"])
    return Moved(row["schedule_id"], slot_at, before=row["next_due_at"])
