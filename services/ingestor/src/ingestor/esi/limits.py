"""What one replica learns of upstream's limits, told to all: a row for each limit, a NOTIFY for whatever is new."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from common.database import DATABASE_ERRORS
from common.logs import get_logger
from common.messaging.wakeup import Wakeup
from common.settings import DatabaseSettings
from ingestor.domain.budget import ERRORS_ALLOWED
from ingestor.esi.governor import EVERYTHING, Governor, Pause

log = get_logger(__name__)

CHANNEL = "freeport_upstream"
LOOK_SECONDS = 5.0
RETRY_SECONDS = 1.0

RING = "SELECT pg_notify($1, '')"
BEGIN_PAUSE = """
/* limits.begin_pause: a longer pause that is under way stands */
INSERT INTO upstream_limits AS l (name, paused_until, reason)
VALUES ($1, clock_timestamp() + $2 * interval '1 second', $3)
ON CONFLICT (name) DO UPDATE
   SET paused_until = excluded.paused_until, reason = excluded.reason, observed_at = clock_timestamp()
 WHERE l.paused_until IS NULL OR l.paused_until < excluded.paused_until
"""
PAUSES = """
/* limits.pauses */
SELECT name, extract(epoch FROM paused_until - clock_timestamp())::float8 AS seconds, reason
  FROM upstream_limits WHERE paused_until > clock_timestamp()
"""
SESSION = "freeport-ingestor-limits"
"""The name by which sessions of ours are told from others'."""
REPLICAS = """
/* limits.replicas: those that share limits here, known from the moment they connect; a heartbeat would come too late */
SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()
"""
OBSERVE = """
/* limits.observe: each replica knows of the routes that it has asked */
INSERT INTO upstream_limits AS l (name, remaining, allowance, resets_at, window_seconds, routes)
VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 second', $5, $6)
ON CONFLICT (name) DO UPDATE
   SET remaining = excluded.remaining, allowance = excluded.allowance, resets_at = excluded.resets_at,
       window_seconds = excluded.window_seconds, observed_at = clock_timestamp(),
       routes = CASE WHEN l.routes @> excluded.routes THEN l.routes
                     ELSE ARRAY(SELECT unnest(l.routes) UNION SELECT unnest(excluded.routes) ORDER BY 1) END
"""


class SharedLimits:
    """Keeps one governor and the other replicas' in step, for as long as `run` runs.

    While the database is away each replica goes by what it hears itself.
    """

    def __init__(self, governor: Governor, database: DatabaseSettings) -> None:
        self._governor = governor
        self._database = database
        self._begun: asyncio.Queue[Pause] = asyncio.Queue()
        self._wakeup: Wakeup | None = None
        governor.on_pause = self._tell

    async def run(self) -> None:
        """Tell and listen until cancelled, through restarts of the database."""
        while True:
            try:
                async with self._connection() as connection:
                    self._wakeup = Wakeup(connection, CHANNEL)
                    await self._wakeup.listen()
                    await connection.execute(RING, CHANNEL)  # for the others to count us, too
                    while True:
                        await self._exchange(connection)
                        await self._wakeup.wait(LOOK_SECONDS)
            except (*DATABASE_ERRORS, OSError) as error:
                log.warning("upstream limits are not shared", error=f"{type(error).__name__}: {error}"[:200])
                await asyncio.sleep(RETRY_SECONDS)

    def _tell(self, pause: Pause) -> None:
        self._begun.put_nowait(pause)
        if self._wakeup is not None:
            self._wakeup.ring()

    async def _exchange(self, connection: Any) -> None:
        while not self._begun.empty():
            pause = self._begun.get_nowait()
            left = pause.until - time.monotonic()
            if left > 0:
                await connection.execute(BEGIN_PAUSE, pause.name, left, pause.reason)
                await connection.execute(RING, CHANNEL)
        for row in await connection.fetch(PAUSES):
            self._governor.adopt(Pause(row["name"], time.monotonic() + row["seconds"], row["reason"]))
        self._governor.replicas = max(await connection.fetchval(REPLICAS, SESSION), 1)
        await self._report(connection)

    async def _report(self, connection: Any) -> None:
        now = time.monotonic()
        errors = self._governor.errors
        left = errors.left(now)
        if left is not None:
            resets_in = max(errors.resets_at - now, 0.0)
            await connection.execute(OBSERVE, EVERYTHING, left, ERRORS_ALLOWED, resets_in, None, None)
        for group, bucket in self._governor.buckets.items():
            resets_in = max(bucket.observed_at + bucket.window_seconds - now, 0.0)
            window, routes = int(bucket.window_seconds), self._governor.routes_of(group)
            await connection.execute(OBSERVE, group, bucket.left(now), bucket.allowance, resets_in, window, routes)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(
            self._database.dsn(), timeout=5, server_settings={"application_name": SESSION}
        )
        try:
            yield connection
        finally:
            self._wakeup = None
            connection.terminate()
