"""Timers: the instants at which the clockwork has somebody look for work that was put off."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.events import Dataset
from common.messaging.wakeup import CLOCKWORK

PROBED_AFTER = timedelta(seconds=5)
"""After a contract is gone, when it is asked for the first time what became of it."""
TOGETHER = timedelta(milliseconds=250)
"""What falls due within this is looked at together: one look finds all rows that are due."""
COMMITTED_AFTER = timedelta(seconds=1)
"""A timer that fires before the transaction of those who rely on it has committed would look too early."""

# It waits for no other transaction, so that it may stand anywhere in one.
SET = """
/* timers.set: unless there is the same */
WITH wanted AS MATERIALIZED (
  SELECT DISTINCT date_bin($3::interval, clock_timestamp() + after + $3::interval, 'epoch') AS due_at
    FROM unnest($2::interval[]) AS pause (after)
), added AS (
  INSERT INTO timers (dataset, due_at)
  SELECT $1::text, due_at FROM wanted
   WHERE due_at <= clock_timestamp() + $4::interval
      OR NOT EXISTS (SELECT FROM timers t WHERE t.due_at = wanted.due_at AND t.dataset = $1::text)
  RETURNING due_at
)
SELECT pg_notify($5, '') FROM added LIMIT 1
"""


async def put_off(connection: AsyncConnection, dataset: Dataset, pauses: Collection[timedelta]) -> None:
    """Have somebody look for work of `dataset` after each of `pauses`, or a moment later; nothing if there are none.

    The rows of that work have to say, too, when they are due: a timer tells only when to look at them.
    """
    if pauses:
        raw = await asyncpg_connection(connection)
        await raw.execute(SET, dataset.value, list(pauses), TOGETHER, COMMITTED_AFTER, CLOCKWORK)


async def ask_about(connection: AsyncConnection, gone: Sequence[Any]) -> None:
    """Have somebody ask what became of contracts that a merge delisted, and for their items where these are wanted."""
    if any(row["to_be_probed"] for row in gone):
        await put_off(connection, Dataset.OUTCOMES, [PROBED_AFTER])
    if any(row["items_wanted"] for row in gone):
        await put_off(connection, Dataset.ITEMS, [timedelta()])
