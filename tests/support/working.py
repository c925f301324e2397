"""A scheduler's clockwork at work on a test's database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from scheduler.clockwork import Clockwork


@asynccontextmanager
async def at_work(engine: AsyncEngine, database: DatabaseSettings) -> AsyncIterator[None]:
    running = asyncio.ensure_future(Clockwork(engine, Outbox("scheduler"), database).run())
    await asyncio.sleep(0.1)
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
