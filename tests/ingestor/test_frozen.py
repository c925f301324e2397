"""A process that freezes while it sends rows holds nobody up for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import DATABASE_ERRORS, create_engine, server_settings
from ingestor import frozen
from support.databases import as_service, settings_for

CLAIM = "INSERT INTO inbox (consumer, event_id) VALUES ('ingestor', '01a2250f-190a-73b1-9517-6e895fdd9f96')"
SENDING = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY %' AND wait_event = 'ClientRead'"
AT_ONCE, LATER = timedelta(0), timedelta(hours=1)


@pytest.fixture
async def ingestor(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings_for(as_service(database_url, "ingestor")), service="ingestor")
    yield engine
    await engine.dispose()


async def session(database_url: str, service: str = "ingestor") -> asyncpg.Connection:
    return await asyncpg.connect(as_service(database_url, "ingestor"), server_settings=server_settings(service))


async def send_rows_and_freeze(connection: asyncpg.Connection) -> None:
    """Claim a message, and stop in the middle of the rows that it is about."""

    async def rows() -> AsyncIterator[bytes]:
        yield b"rifter"
        await asyncio.Event().wait()

    async with connection.transaction():
        await connection.execute(CLAIM)
        await connection.copy_to_table("words", source=rows(), columns=["word"])


async def frozen_in_copy(connection: asyncpg.Connection, looker: asyncpg.Connection) -> "asyncio.Task[None]":
    freezing = asyncio.create_task(send_rows_and_freeze(connection))
    async with asyncio.timeout(20):
        while not (freezing.done() or await looker.fetchval(SENDING)):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    return freezing


async def test_who_waits_for_a_frozen_process_gets_on_once_its_session_is_ended(
    ingestor: AsyncEngine, database_url: str
) -> None:
    sleeper, awake, looker = [await session(database_url) for _ in range(3)]
    freezing = await frozen_in_copy(sleeper, looker)
    claiming = asyncio.create_task(awake.execute(CLAIM))

    early = await frozen.end(ingestor, LATER)
    ended = await frozen.end(ingestor, AT_ONCE)

    assert (early, ended) == (0, 1)
    assert await asyncio.wait_for(claiming, timeout=30) == "INSERT 0 1"
    freezing.cancel()
    with suppress(asyncio.CancelledError, OSError, *DATABASE_ERRORS):
        await freezing
    for each in (awake, looker):
        await each.close()


async def test_sessions_that_are_busy_or_of_others_are_left_alone(ingestor: AsyncEngine, database_url: str) -> None:
    busy, other, looker = await session(database_url), await session(database_url, "other"), await session(database_url)
    working = asyncio.create_task(busy.fetchval("SELECT pg_sleep(1) IS NOT NULL"))
    freezing = await frozen_in_copy(other, looker)

    assert await frozen.end(ingestor, AT_ONCE) == 0

    assert await working
    freezing.cancel()
    with suppress(asyncio.CancelledError, OSError, *DATABASE_ERRORS):
        await freezing
    for each in (busy, other, looker):
        each.terminate()
