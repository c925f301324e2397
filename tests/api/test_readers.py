import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from api.readers import Readers
from common.settings import DatabaseSettings
from support.databases import settings_for
from support.served_api import NOWHERE

PID = "SELECT pg_backend_pid()"


@pytest.fixture
async def readers(database_url: str) -> AsyncIterator[Readers]:
    """At most two connections."""
    settings = DatabaseSettings(**{**settings_for(database_url).model_dump(), "database_pool_size": 2})
    readers = Readers(settings, service="test")
    yield readers
    readers.close()


async def pid(readers: Readers) -> int:
    async with readers.reader() as reader:
        return int(await reader.fetchval(PID))


async def test_a_connection_is_lent_again_and_again(readers: Readers) -> None:
    assert await pid(readers) == await pid(readers)


async def test_a_question_that_meets_a_dead_connection_is_asked_over_a_new_one(readers: Readers) -> None:
    async with readers.reader() as one, readers.reader() as other:
        first = await one.fetchval(PID)
        await other.fetchval("SELECT pg_terminate_backend($1, 5000)", first)

    assert await pid(readers) != first


async def test_it_is_asked_once_more_only_where_the_connection_was_not_new(readers: Readers) -> None:
    with pytest.raises(asyncpg.PostgresError):
        async with readers.reader() as reader:
            await reader.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(ConnectionRefusedError):
        await pid(Readers(settings_for(f"postgresql://freeport@{NOWHERE}/x"), service="test"))


async def test_whatever_was_cut_off_is_not_lent_again(readers: Readers) -> None:
    cut_off = await pid(readers)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), readers.reader() as reader:
            await reader.fetchval("SELECT pg_sleep(60)")

    assert await pid(readers) != cut_off


async def test_an_answer_that_is_an_error_of_the_clients_keeps_its_connection(readers: Readers) -> None:
    kept = await pid(readers)

    async def miss() -> None:
        async with readers.reader() as reader:
            await reader.fetchval(PID)
            raise KeyError("no such thing")

    with pytest.raises(KeyError):
        await miss()

    assert await pid(readers) == kept


async def test_there_are_never_more_connections_than_the_setting_says(readers: Readers) -> None:
    async def ask() -> int:
        async with readers.reader() as reader:
            return int(await reader.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.01)"))

    assert len(set(await asyncio.gather(*(ask() for _ in range(20))))) == 2


async def test_whoever_asks_nothing_takes_no_turn(readers: Readers) -> None:
    async with readers.reader(), readers.reader(), readers.reader() as third:
        assert await third.fetchval(PID)
