"""What the ingestor commits is told on one channel, once, if it shows."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest

from common.settings import DatabaseSettings
from ingestor.esi.models import Name
from ingestor.stores import names
from support.ingestion import NOON, Ingestion, contract, whole_list

LATER = NOON + timedelta(minutes=30)
BOOKKEEPING = (
    "missing_since = now()",
    "outcome_due_at = now()",
    "outcome_attempts = 3",
    "bids_due_at = now()",
    "items_run_id = gen_random_uuid()",
    "items_attempts = 2",
    "items_sent_at = now()",
    "items_due_at = now()",
    "items_error = 'no'",
    "enrichment_version = 9",
)


class Heard:
    """What was told since it was last asked."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._subjects: list[str] = []

    async def listen(self) -> None:
        await self._connection.add_listener("freeport_market", self._hear)

    def _hear(self, _connection: object, _pid: int, _channel: str, subject: str) -> None:
        self._subjects.append(subject)

    async def take(self) -> list[str]:
        await self._connection.fetchval("SELECT 1")
        await asyncio.sleep(0.05)
        told, self._subjects = sorted(self._subjects), []
        return told


@pytest.fixture
async def heard(database: DatabaseSettings) -> AsyncIterator[Heard]:
    connection = await asyncpg.connect(database.dsn())
    heard = Heard(connection)
    await heard.listen()
    yield heard
    await connection.close()


async def test_a_list_is_told_once_however_many_contracts_it_brings(offline: Ingestion, heard: Heard) -> None:
    await offline.merge(whole_list(*(contract(number) for number in range(1, 500))))

    assert await heard.take() == ["contracts", "coverage", "live"]


async def test_a_list_that_brings_nothing_new_tells_only_that_it_was_read(offline: Ingestion, heard: Heard) -> None:
    listing = whole_list(*(contract(number) for number in range(1, 50)))
    await offline.merge(listing)
    await heard.take()

    await offline.merge(listing)

    assert await heard.take() == ["coverage"]


async def test_what_changes_and_what_goes_is_told(offline: Ingestion, heard: Heard) -> None:
    await offline.merge(whole_list(contract(1), contract(2)))
    await heard.take()

    await offline.merge(whole_list(contract(1, price=Decimal(7)), contract(2), at=LATER))
    changed = await heard.take()
    await offline.merge(whole_list(contract(1, price=Decimal(7)), at=LATER + timedelta(minutes=30)))

    assert changed == ["contracts", "coverage"]
    assert await heard.take() == ["contracts", "coverage", "live"]


@pytest.mark.parametrize("change", BOOKKEEPING)
async def test_bookkeeping_is_not_told(offline: Ingestion, heard: Heard, change: str) -> None:
    await offline.merge(whole_list(contract(1), contract(2)))
    await heard.take()

    await offline.execute(f"UPDATE contracts SET {change}")  # noqa: S608
    unseen = await heard.take()
    await offline.execute(f"UPDATE contracts SET {change}, label = 'a ship' WHERE contract_id = 2")  # noqa: S608

    assert unseen == []
    assert await heard.take() == ["contracts"]


@pytest.mark.parametrize(
    "change",
    [
        "delisted_at = now()",
        "facets = ARRAY[34]",
        "system_id = 30002187",
        "start_location_id = 60008494",
        "date_expired = date_expired + interval '1 hour'",
    ],
)
async def test_what_changes_how_much_is_live_says_so(offline: Ingestion, heard: Heard, change: str) -> None:
    await offline.merge(whole_list(contract(1), contract(2)))
    await heard.take()

    await offline.execute(f"UPDATE contracts SET {change} WHERE contract_id = 2")  # noqa: S608

    assert await heard.take() == ["contracts", "live"]


async def test_words_are_told_by_where_they_lead(offline: Ingestion, heard: Heard) -> None:
    await offline.execute("INSERT INTO words VALUES ('unheardof', false)")
    of_titles = await heard.take()
    await offline.execute("UPDATE words SET is_named = true WHERE word = 'unheardof'")
    of_names = await heard.take()
    await offline.execute("TRUNCATE words")

    assert (of_titles, of_names, await heard.take()) == (["contracts"], ["universe"], ["contracts", "universe"])


async def test_statements_that_touch_nothing_are_not_told(offline: Ingestion, heard: Heard) -> None:
    await offline.execute("DELETE FROM bids")
    await offline.execute("UPDATE types SET name = 'x' WHERE false")
    await offline.execute("UPDATE contracts SET price = 1")

    assert await heard.take() == []


async def test_a_name_is_told_when_it_is_learned_not_when_it_is_wanted(offline: Ingestion, heard: Heard) -> None:
    await offline.execute("INSERT INTO names (entity_id, due_at) VALUES (5, now())")
    async with offline.engine.begin() as connection:
        await names.postpone(connection, [5])
    wanted = await heard.take()

    async with offline.engine.begin() as connection:
        await names.learn(connection, [Name(id=5, name="Somebody", category="character")])

    assert wanted == []
    assert "names" in await heard.take()


async def test_what_is_undone_is_not_told(offline: Ingestion, heard: Heard) -> None:
    async with offline.engine.connect() as connection:
        await connection.exec_driver_sql("UPDATE regions SET name = 'x'")
        await connection.rollback()

    assert await heard.take() == []
