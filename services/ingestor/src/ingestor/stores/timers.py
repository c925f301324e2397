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

PRECISELY = timedelta(minutes=2)
"""What is put off for longer is looked at together with more: at most a 240th of the pause later."""

# It waits for no other transaction, so that it may stand anywhere in one. The steps double with the pause, so few
# instants are to come. Of those that are over while nobody takes them out the last one does for all.
SET = """
/* timers.set: unless there is the same */
WITH wanted AS MATERIALIZED (
  SELECT DISTINCT date_bin(step, clock_timestamp() + after + step, 'epoch') AS due_at
    FROM unnest($2::interval[]) AS pause (after),
         LATERAL (SELECT $3::interval * 2 ^ greatest(ceil(log(2, greatest(
                           extract(epoch FROM after) / extract(epoch FROM $6::interval), 1))), 0)::float8) width (step)
), passed AS MATERIALIZED (
  SELECT timer_id FROM timers t
   WHERE dataset = $1::text AND due_at <= statement_timestamp()
     AND (due_at, timer_id) < (SELECT l.due_at, l.timer_id FROM timers l
                                WHERE l.dataset = $1::text AND l.due_at <= statement_timestamp()
                                ORDER BY l.due_at DESC, l.timer_id DESC LIMIT 1)
   FOR UPDATE SKIP LOCKED
), removed AS (
  DELETE FROM timers t USING passed WHERE t.timer_id = passed.timer_id
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
    """Have somebody look for work of `dataset` after each of `pauses`, or a little later; nothing if there are none.

    The rows of that work have to say, too, when they are due: a timer tells only when to look at them.
    """
    if pauses:
        raw = await asyncpg_connection(connection)
        await raw.execute(SET, dataset.value, list(pauses), TOGETHER, COMMITTED_AFTER, CLOCKWORK, PRECISELY)


async def ask_about(connection: AsyncConnection, gone: Sequence[Any]) -> None:
    """Have somebody ask what became of contracts that a merge delisted, and for their items where these are wanted."""
    if any(row["to_be_probed"] for row in gone):
        await put_off(connection, Dataset.OUTCOMES, [PROBED_AFTER])
    if any(row["items_wanted"] for row in gone):
        await put_off(connection, Dataset.ITEMS, [timedelta()])
