"""What a run that ended means for the schedule that caused it."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

FAILING = text("""
/* failures.failing: schedules whose last runs, as many as they put up with, all failed; a range of slots went well */
SELECT s.schedule_id, s.pause_after_failures AS failures
  FROM schedule_slots slot JOIN schedules s USING (schedule_id)
 WHERE slot.run_id = :run_id AND s.pause_after_failures IS NOT NULL AND NOT s.paused
   AND s.pause_after_failures = (
     SELECT count(*) FILTER (WHERE state = 'failed') FROM (
       SELECT run.state FROM schedule_slots t JOIN runs run ON run.run_id = t.run_id
        WHERE t.schedule_id = s.schedule_id AND run.finished_at IS NOT NULL
          AND t.slot_at > coalesce(
                (SELECT max(to_slot) FROM schedule_ranges r WHERE r.schedule_id = s.schedule_id), '-infinity')
        ORDER BY run.finished_at DESC LIMIT s.pause_after_failures) newest)
   FOR UPDATE OF s
""")
AWAITED = text("SELECT EXISTS (SELECT FROM schedules WHERE buffered_slot_at IS NOT NULL AND last_run_id = :run_id)")


async def failing(connection: AsyncConnection, run_id: UUID) -> dict[str, int]:
    """The schedules that the end of this run makes one failure too many for, with how many failed in a row."""
    rows = await connection.execute(FAILING, {"run_id": run_id})
    return {row.schedule_id: row.failures for row in rows}


async def is_awaited(connection: AsyncConnection, run_id: UUID) -> bool:
    """Whether a slot waits for this run to end."""
    return bool(await connection.scalar(AWAITED, {"run_id": run_id}))
