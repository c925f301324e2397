import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common.messaging import topics
from common.messaging.consuming import Consumers
from common.messaging.epochs import BrokerEpochError, one_epoch
from common.messaging.outbox import Outbox
from common.settings import KafkaSettings
from common.tables import broker_epochs

OTHER_SESSIONS_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def begin_epoch(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(broker_epochs).values(topics=[]))


@asynccontextmanager
async def watched(engine: AsyncEngine) -> AsyncIterator[asyncio.Task[None]]:
    epoch = asyncio.ensure_future(one_epoch(engine, look_seconds=0.02))
    try:
        await asyncio.sleep(0.5)  # it had its first look
        yield epoch
    finally:
        epoch.cancel()
        await asyncio.gather(epoch, return_exceptions=True)


@pytest.mark.parametrize("before", [0, 1])
async def test_an_epoch_lasts_until_topics_are_created_anew(engine: AsyncEngine, before: int) -> None:
    for _ in range(before):
        await begin_epoch(engine)

    async with watched(engine) as epoch:
        lasted = not epoch.done()
        await begin_epoch(engine)
        with pytest.raises(BrokerEpochError):
            await epoch

    assert lasted


async def test_an_epoch_is_watched_through_the_end_of_the_watcher_s_sessions(engine: AsyncEngine) -> None:
    async with watched(engine) as epoch:
        async with engine.connect() as connection:
            await connection.execute(OTHER_SESSIONS_END)
        await asyncio.sleep(0.2)
        lasted = not epoch.done()
        await begin_epoch(engine)
        with pytest.raises(BrokerEpochError):
            await epoch

    assert lasted


async def test_consumers_end_with_the_epoch_so_that_new_ones_start_from_the_topics_beginning(
    engine: AsyncEngine, kafka: KafkaSettings
) -> None:
    await topics.create_missing(kafka)
    consumers = asyncio.ensure_future(Consumers([], engine=engine, outbox=Outbox("test"), kafka=kafka).run())
    await asyncio.sleep(2)
    assert not consumers.done()

    await begin_epoch(engine)

    with pytest.raises(BrokerEpochError):
        await consumers
