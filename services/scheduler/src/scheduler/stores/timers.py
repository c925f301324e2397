"""Timers that have come: the ingestor sets them, and whoever takes one out has it fire."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

BATCH = 1_000

TAKE = text(f"""
/* timers.take: what another replica holds is its to fire */
WITH due AS MATERIALIZED (
  SELECT timer_id FROM timers WHERE due_at <= statement_timestamp()
   ORDER BY due_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED
), taken AS (
  DELETE FROM timers t USING due WHERE t.timer_id = due.timer_id
  RETURNING t.dataset, t.due_at
)
SELECT dataset, max(due_at) AS due_at FROM taken GROUP BY dataset ORDER BY due_at
""")  # noqa: S608 - constants


async def take(connection: AsyncConnection) -> dict[str, datetime]:
    """Take out a batch of timers that are due; of several of a dataset the last, for one look does for all."""
    return {row.dataset: row.due_at for row in await connection.execute(TAKE)}
