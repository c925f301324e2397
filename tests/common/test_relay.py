import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common import tables
from common.events import ContractDelisted, DeadLetter, Event, RunAccepted, Topic
from common.events.ingest_requested import Dataset
from common.ids import new_id
from common.messaging import topics
from common.messaging.outbox import Outbox
from common.messaging.relay import Relay
from common.settings import DatabaseSettings, KafkaSettings
from conftest import Broker
from support.wire import ce_id, first_seen_by_key, read_until

SERVICE = "ingestor"


@pytest.fixture
async def outbox(kafka: KafkaSettings) -> Outbox:
    await topics.create_missing(kafka)
    return Outbox(SERVICE)


@asynccontextmanager
async def relaying(database: DatabaseSettings, kafka: KafkaSettings, *, relays: int = 1) -> AsyncIterator[list[Relay]]:
    started = [Relay(SERVICE, database, kafka) for _ in range(relays)]
    tasks = [asyncio.ensure_future(relay.run()) for relay in started]
    try:
        yield started
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def happenings(count: int, *, keys: int) -> list[Event]:
    """Events of `keys` contracts in turn; the region tells which one of its contract it is."""
    return [
        ContractDelisted(
            contract_id=1 + number % keys,
            region_id=1 + number // keys,
            outcome="unknown",
            generation="2026-01-01T00:00:00Z",  # type: ignore[arg-type]  # travels as it is
        )
        for number in range(count)
    ]


async def commit(engine: AsyncEngine, outbox: Outbox, events: Sequence[Event]) -> None:
    async with engine.begin() as connection:
        await outbox.write(connection, events)


async def stored_ids(engine: AsyncEngine) -> dict[str, list[str]]:
    """What the outbox holds, as `first_seen_by_key` tells it of the wire."""
    async with engine.connect() as connection:
        rows = await connection.execute(select(tables.outbox).order_by(tables.outbox.c.id))
        by_key: dict[str, list[str]] = {}
        for row in rows:
            by_key.setdefault(row.key, []).append(str(row.event_id))
        return by_key


async def count(engine: AsyncEngine, table: Any) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def emptied(engine: AsyncEngine) -> None:
    while await count(engine, tables.outbox):  # noqa: ASYNC110  # the database sets no event of ours
        await asyncio.sleep(0.02)


async def terminate_relays(engine: AsyncEngine) -> int:
    async with engine.begin() as connection:
        ended = await connection.scalars(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name LIKE 'freeport-%-relay'"
            )
        )
        return len(ended.all())


async def test_thousands_of_rows_arrive_once_and_in_order_for_each_key(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox
) -> None:
    await commit(engine, outbox, happenings(4_000, keys=37))
    stored = await stored_ids(engine)

    async with relaying(database, kafka):
        await emptied(engine)

    records = await read_until(kafka, Topic.CONTRACT_EVENTS, 4_000)
    assert len(records) == 4_000
    assert first_seen_by_key(records) == stored


async def test_nothing_is_sent_of_a_transaction_that_rolls_back(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox
) -> None:
    async with relaying(database, kafka):
        async with engine.connect() as connection:
            await outbox.write(connection, happenings(5, keys=5))
            await connection.rollback()
        await commit(engine, outbox, happenings(1, keys=1))
        await emptied(engine)

    assert len(await read_until(kafka, Topic.CONTRACT_EVENTS, 1)) == 1


async def test_a_committed_row_wakes_the_relay_without_waiting_for_its_poll(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox
) -> None:
    async with relaying(database, kafka), asyncio.timeout(30):  # thirty polls take sixty seconds
        for _ in range(30):
            await commit(engine, outbox, happenings(1, keys=1))
            await emptied(engine)

    assert len(await read_until(kafka, Topic.CONTRACT_EVENTS, 30)) == 30


async def test_the_headers_say_what_the_event_is_and_who_sent_it(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox
) -> None:
    run = RunAccepted(run_id=new_id(), dataset=Dataset.UNIVERSE)
    await commit(engine, outbox, [run])

    async with relaying(database, kafka):
        (record,) = await read_until(kafka, Topic.RUNS, 1)

    named = dict(record.headers)
    assert record.key.decode() == str(run.run_id)
    assert named["ce_type"] == b"freeport.ingest.run.accepted.v1"
    assert named["ce_source"] == b"/freeport/ingestor"
    assert named["ce_specversion"] == b"1.0"


async def test_of_two_relays_one_sends_and_each_message_arrives_once_and_in_order(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox
) -> None:
    await commit(engine, outbox, happenings(2_000, keys=11))
    stored = await stored_ids(engine)

    async with relaying(database, kafka, relays=2) as relays:
        await emptied(engine)
        assert sorted(relay.sent for relay in relays) == [0, 2_000]

    records = await read_until(kafka, Topic.CONTRACT_EVENTS, 2_000)
    assert len(records) == 2_000
    assert first_seen_by_key(records) == stored


async def test_a_relay_that_waits_for_its_turn_holds_back_no_clean_up_of_deleted_rows(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox
) -> None:
    async with relaying(database, kafka, relays=2):
        await commit(engine, outbox, happenings(1, keys=1))
        await emptied(engine)
        query = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'freeport-%-relay' AND backend_xmin IS NOT NULL"
        )
        async with engine.connect() as connection:
            held = [await connection.scalar(query) for _ in range(5)]

    assert 0 in held


async def test_another_relay_takes_over_when_the_first_one_s_session_ends(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox
) -> None:
    async with relaying(database, kafka, relays=2):
        for _ in range(3):
            await commit(engine, outbox, happenings(50, keys=5))
            await terminate_relays(engine)
        await emptied(engine)

    assert len(await read_until(kafka, Topic.CONTRACT_EVENTS, 150)) >= 150


async def test_sessions_killed_in_mid_stream_lose_nothing_and_keep_the_order(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox
) -> None:
    stored: dict[str, list[str]] = {}
    for _ in range(4):
        await commit(engine, outbox, happenings(1_500, keys=7))
    stored = await stored_ids(engine)

    killed = 0
    async with relaying(database, kafka):
        for left in (5_999, 3_500, 1_500):
            while await count(engine, tables.outbox) > left:  # noqa: ASYNC110  # the database sets no event of ours
                await asyncio.sleep(0.001)
            killed += await terminate_relays(engine)
        await emptied(engine)

    records = await read_until(kafka, Topic.CONTRACT_EVENTS, 6_000)
    assert killed >= 2
    assert first_seen_by_key(records) == stored


async def test_what_a_dead_broker_did_not_take_arrives_once_it_is_back_with_its_topics(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox, broker: Broker
) -> None:
    async with relaying(database, kafka):
        await commit(engine, outbox, happenings(100, keys=5))
        await emptied(engine)
        broker.kill()
        await commit(engine, outbox, happenings(300, keys=5))
        await asyncio.sleep(0.3)
    stored = await stored_ids(engine)
    assert sum(len(ids) for ids in stored.values()) == 300

    # The embedded broker takes messages for topics that it does not have yet, and forgets them when they are created.
    broker.start()
    await topics.create_missing(kafka)
    async with relaying(database, kafka):
        await emptied(engine)

    ids = {each for of_key in stored.values() for each in of_key}
    records = [record for record in await read_until(kafka, Topic.CONTRACT_EVENTS, 300) if ce_id(record) in ids]
    assert first_seen_by_key(records) == stored


async def test_a_relay_outlives_its_broker(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox, broker: Broker
) -> None:
    async with relaying(database, kafka):
        await commit(engine, outbox, happenings(100, keys=5))
        await emptied(engine)
        broker.kill()
        broker.start()
        await topics.create_missing(kafka)
        await commit(engine, outbox, happenings(300, keys=5))
        await emptied(engine)

    regions: dict[int, dict[int, None]] = defaultdict(dict)
    for record in await read_until(kafka, Topic.CONTRACT_EVENTS, 300):
        event = msgspec.json.decode(record.value, type=ContractDelisted)
        regions[event.contract_id].setdefault(event.region_id)
    assert {key: list(seen) for key, seen in regions.items()} == {key: list(range(1, 61)) for key in range(1, 6)}


async def test_a_message_above_the_limit_is_set_aside_and_does_not_block_its_key(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox
) -> None:
    letters = [_letter(b"small"), _letter(b"x" * 1_200_000), _letter(b"behind it")]
    await commit(engine, outbox, letters)
    stored = (await stored_ids(engine))["one key"]

    async with relaying(database, kafka):
        await emptied(engine)

    records = await read_until(kafka, Topic.DEAD_LETTERS, 2)
    assert [ce_id(record) for record in records] == [stored[0], stored[2]]
    async with engine.connect() as connection:
        dead = (await connection.execute(select(tables.dead_letters))).one()
    assert dead.consumer == "relay.ingestor"
    assert len(dead.value) > 1_200_000
    assert dict(zip(dead.header_names, dead.header_values, strict=True))[b"ce_id"].decode() == stored[1]


async def test_a_relay_cancelled_while_it_sends_leaves_no_task_of_its_behind(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, outbox: Outbox, broker: Broker
) -> None:
    before = asyncio.all_tasks()
    async with relaying(database, kafka):
        await commit(engine, outbox, happenings(10, keys=5))
        await emptied(engine)
        broker.kill()
        await commit(engine, outbox, happenings(2_000, keys=5))
        await asyncio.sleep(0.3)

    await asyncio.sleep(0.2)
    assert {task for task in asyncio.all_tasks() - before if "aiokafka" in repr(task.get_coro())} == set()
    broker.start()


def _letter(value: bytes) -> DeadLetter:
    return DeadLetter(
        dead_letter_id=new_id(),
        consumer="test",
        source_topic="somewhere",
        source_partition=0,
        source_offset=0,
        source_key="one key",
        reason="a test",
        size=len(value),
        value=value,
    )
