"""Sessions of an ingestor that froze while it sent rows are ended, so that their locks go to one that is awake.

The server itself ends a transaction in which no statement runs for a minute (`common/database.py: FROZEN_AFTER`). A
COPY that waits for its rows runs, and of all timeouts none interrupts it.
"""

import asyncio
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import DATABASE_ERRORS
from common.logs import get_logger

log = get_logger(__name__)

EVERY_SECONDS = 10.0
FROZEN_AFTER = timedelta(seconds=30)
"""Rows are in memory before they are sent, so that none takes so long."""

END = text("""
/* frozen.end */
SELECT pid, pg_terminate_backend(pid) AS ended, round(extract(epoch FROM clock_timestamp() - query_start)) AS seconds
  FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = current_setting('application_name')
   AND pg_has_role(usesysid, 'MEMBER') AND pid <> pg_backend_pid()
   AND state = 'active' AND wait_event = 'ClientRead'
   AND query_start < clock_timestamp() - CAST(:frozen_after AS interval)
""")


async def watch(engine: AsyncEngine, *, every_seconds: float = EVERY_SECONDS) -> None:
    """End what is frozen until cancelled; a time that fails is made up for by the next."""
    while True:
        try:
            await end(engine)
        except (SQLAlchemyError, *DATABASE_ERRORS, OSError) as error:
            log.warning("frozen sessions are not looked for", error=f"{type(error).__name__}: {error}"[:200])
        await asyncio.sleep(every_seconds)


async def end(engine: AsyncEngine, frozen_after: timedelta = FROZEN_AFTER) -> int:
    """End sessions of ingestors that have waited for their client so long in the middle of a statement; how many."""
    async with engine.begin() as connection:
        found = (await connection.execute(END, {"frozen_after": frozen_after})).all()
    for pid, ended, seconds in found:
        log.warning("ended a session whose process is frozen", pid=pid, ended=ended, seconds=float(seconds))
    return len(found)
