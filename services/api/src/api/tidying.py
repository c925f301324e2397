"""What the api keeps no longer: keys whose repeats cannot be meant any more, commands whose runs tell all there is."""

import asyncio

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common.logs import get_logger

log = get_logger(__name__)

KEY_DAYS = 7
REQUEST_DAYS = 30
"""Well above the seven days in which the reconciliation adopts a command that reached nobody."""
EVERY_SECONDS = 3600.0
BATCH = 1_000
"""Rows in a transaction, so that no request waits for long."""

OLD_KEYS = text("""
/* tidying.old_keys */
DELETE FROM idempotency_keys WHERE key IN (
  SELECT key FROM idempotency_keys WHERE used_at < now() - make_interval(days => :days)
   LIMIT :most FOR UPDATE SKIP LOCKED)
""")
OLD_REQUESTS = text("""
/* tidying.old_requests: those whose run is over; what never became a run stays queued for all to see */
DELETE FROM ingest_requests WHERE run_id IN (
  SELECT q.run_id FROM ingest_requests q JOIN runs r USING (run_id)
   WHERE q.accepted_at < now() - make_interval(days => :days) AND r.finished_at IS NOT NULL
   LIMIT :most FOR UPDATE OF q SKIP LOCKED)
""")


class Tidying:
    """Removes the api's old rows, batch by batch; several replicas do not get into each other's way."""

    def __init__(self, engine: AsyncEngine, *, batch: int = BATCH) -> None:
        self._engine = engine
        self._batch = batch

    async def run(self) -> None:
        """Tidy up every hour until cancelled; what fails is made up for by the next time."""
        while True:
            try:
                removed = await self.tidy()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("not tidied up", error=type(error).__name__)
            else:
                if removed:
                    log.info("tidied up", rows=removed)
            await asyncio.sleep(EVERY_SECONDS)

    async def tidy(self) -> int:
        """Remove all that is old, and say how many rows that were."""
        removed = 0
        for statement, days in ((OLD_KEYS, KEY_DAYS), (OLD_REQUESTS, REQUEST_DAYS)):
            while True:
                async with self._engine.begin() as connection:
                    gone = (await connection.execute(statement, {"days": days, "most": self._batch})).rowcount
                removed += gone
                if gone < self._batch:
                    break
        return removed
