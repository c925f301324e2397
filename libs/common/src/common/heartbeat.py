"""Each process says every few seconds how far it is.

`python -m common.heartbeat SERVICE` asks whether the one on this host still does: the containers' health check.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common import clock
from common.database import create_engine, is_transient
from common.logs import get_logger
from common.settings import DatabaseSettings, read_settings
from common.tables import heartbeats

log = get_logger(__name__)

BEAT_SECONDS = 5
STALE_SECONDS = 30
"""A process that has not said anything for this long is taken for stuck."""
STALLED_POLL_SECONDS = 90
"""A consumer that has not polled a partition for this long is taken for stuck, though its process lives."""


class Heartbeat:
    """Writes one process's row."""

    def __init__(self, engine: AsyncEngine, service: str, progress: Callable[[], dict[str, Any]]) -> None:
        self._engine = engine
        self._service = service
        self._progress = progress
        self._started_at = clock.now()

    async def run(self) -> None:
        """Beat until cancelled; a beat that fails is made up for by the next."""
        while True:
            try:
                async with asyncio.timeout(BEAT_SECONDS * 2):
                    await self.beat()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("heartbeat missed", error=type(error).__name__)
            await asyncio.sleep(BEAT_SECONDS)

    async def beat(self) -> None:
        row = {"beat_at": func.clock_timestamp(), "started_at": self._started_at, "progress": self._progress()}
        async with self._engine.begin() as connection:
            await connection.execute(
                insert(heartbeats)
                .values(service=self._service, instance=socket.gethostname(), **row)
                .on_conflict_do_update(index_elements=["service", "instance"], set_=row)
            )
            await connection.execute(
                delete(heartbeats).where(heartbeats.c.beat_at < func.now() - text("interval '1 day'"))
            )


async def check(settings: DatabaseSettings, service: str, instance: str) -> str | None:
    """Why `instance` of `service` is not healthy, or None."""
    engine = create_engine(settings, service="healthcheck")
    try:
        async with engine.connect() as connection:
            age = func.extract("epoch", func.clock_timestamp() - heartbeats.c.beat_at)
            query = select(age, heartbeats.c.progress).where(
                heartbeats.c.service == service, heartbeats.c.instance == instance
            )
            row = (await connection.execute(query)).one_or_none()
    finally:
        await engine.dispose()
    if row is None:
        return f"{service} on {instance} has never beaten"
    if row[0] > STALE_SECONDS:
        return f"{service} on {instance} was last heard {row[0]:.0f} s ago"
    return stalled(row[1], now_ms=time.time_ns() // 1_000_000)


def stalled(progress: dict[str, Any], *, now_ms: int) -> str | None:
    """Which consumer stopped polling, if one did."""
    for topic, consumer in progress.get("consumers", {}).items():
        polled_at = consumer["polled_at_ms"]
        if consumer["partitions"] and polled_at and now_ms - polled_at > STALLED_POLL_SECONDS * 1000:
            return f"the consumer of {topic} was last polled {(now_ms - polled_at) // 1000} s ago"
    return None


def main() -> None:
    service = sys.argv[1]
    settings = read_settings(DatabaseSettings)
    try:
        fault = asyncio.run(check(settings, service, socket.gethostname()))
    except (SQLAlchemyError, OSError) as error:
        fault = f"database: {type(error).__name__}"
        if is_transient(error):  # the database's own check tells; that this process is stuck cannot be told now
            sys.stderr.write(f"{fault}\n")
            return
    if fault:
        raise SystemExit(fault)


if __name__ == "__main__":
    main()
