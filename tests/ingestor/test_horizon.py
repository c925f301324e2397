"""What has expired is taken out of the counts, and nothing that is told or shown changes by it."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import create_engine
from ingestor import horizon
from support.databases import as_service, settings_for
from support.market_rows import NOW, RIFTER, THE_FORGE, MarketRows

COUNTED = "SELECT kind, id, contracts FROM listed_counts WHERE contracts <> 0 AND kind IN ('type', 'region') ORDER BY 1"


@pytest.fixture
def rows(engine: AsyncEngine) -> MarketRows:
    return MarketRows(engine)


async def expired_and_live(rows: MarketRows) -> None:
    await rows.contract(1, facets=[RIFTER], date_expired=NOW - timedelta(hours=1))
    await rows.contract(2, facets=[RIFTER])


async def test_what_has_expired_is_taken_off_once(rows: MarketRows, engine: AsyncEngine) -> None:
    await expired_and_live(rows)

    moved = [await horizon.move(engine) for _ in range(3)]

    assert moved == [1, 0, 0]
    assert [tuple(row) for row in await rows.execute(COUNTED)] == [("region", THE_FORGE, 1), ("type", RIFTER, 1)]
    assert await rows.execute("SELECT * FROM listed_count_changes") == []


async def test_the_ingestor_may_take_it_off_and_the_api_see_what_is_left(rows: MarketRows, database_url: str) -> None:
    await expired_and_live(rows)
    engine = create_engine(settings_for(as_service(database_url, "ingestor")), service="ingestor")
    api = await asyncpg.connect(as_service(database_url, "api"))
    expired = "SELECT count(*) FROM passed_listed_count_horizon()"

    before = await api.fetchval(expired)
    moved = await horizon.move(engine)

    assert (before, moved, await api.fetchval(expired)) == (1, 1, 0)
    await api.close()
    await engine.dispose()


async def test_nobody_is_told_of_it(rows: MarketRows, engine: AsyncEngine, database_url: str) -> None:
    await expired_and_live(rows)
    listener = await asyncpg.connect(database_url)
    told: list[object] = []
    await listener.add_listener("freeport_market", lambda *heard: told.append(heard))

    await horizon.move(engine)
    await listener.fetchval("SELECT 1")

    assert told == []
    await listener.close()


async def test_it_waits_for_writers_and_goes_on_when_they_are_done(
    rows: MarketRows, engine: AsyncEngine, database_url: str
) -> None:
    await expired_and_live(rows)
    writer = await asyncpg.connect(database_url)
    transaction = writer.transaction()
    await transaction.start()
    await writer.execute("UPDATE contracts SET delisted_at = now() WHERE contract_id = 1")

    while_written = await horizon.move(engine)
    await transaction.commit()

    assert while_written is None
    assert await horizon.move(engine) == 0
    assert [tuple(row) for row in await rows.execute(COUNTED)] == [("region", THE_FORGE, 1), ("type", RIFTER, 1)]
    await writer.close()


async def test_a_time_that_fails_is_made_up_for(rows: MarketRows, engine: AsyncEngine) -> None:
    await expired_and_live(rows)
    await rows.execute("ALTER FUNCTION uncount_expired() RENAME TO away")
    following = asyncio.create_task(horizon.follow(engine, every_seconds=0.01))
    await asyncio.sleep(0.1)
    await rows.execute("ALTER FUNCTION away() RENAME TO uncount_expired")

    async with asyncio.timeout(10):
        while not await rows.execute("SELECT * FROM listed_count_horizon"):  # noqa: ASYNC110 - nobody is told of it
            await asyncio.sleep(0.01)

    assert not following.done()
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
