import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faststream import AckPolicy
from sqlalchemy import func, select
from sqlalchemy.exc import TimeoutError as PoolExhaustedError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common import tables
from common.database import create_engine
from common.errors import SetAsideError
from common.events import Dataset, DeadLetter, IngestRequested, ItemsWanted, ScheduleDue, Scope, Topic, encode
from common.ids import new_id
from common.messaging import topics
from common.messaging.consuming import Consumers, Subscription
from common.messaging.delivery import Delivery
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings, KafkaSettings
from conftest import Broker
from support.wire import Headers, Message, produce


class Effects:
    """A handler that notes each region it was asked for in a table, and misbehaves for some as it is told."""

    def __init__(self) -> None:
        self.calls: Counter[int] = Counter()
        self.misbehaviour: dict[int, Callable[[int], Awaitable[None]]] = {}

    async def handle(self, delivery: Delivery[IngestRequested]) -> None:
        region_id = delivery.event.scope.region_id
        assert region_id is not None
        self.calls[region_id] += 1
        if region_id in self.misbehaviour:
            await self.misbehaviour[region_id](self.calls[region_id])
        async with delivery.transaction() as connection:
            await connection.execute(
                text("INSERT INTO effects (region_id, message_id) VALUES (:region, :id)"),
                {"region": region_id, "id": delivery.id},
            )


@pytest.fixture
async def effects(engine: AsyncEngine, kafka: KafkaSettings) -> Effects:
    await topics.create_missing(kafka)
    async with engine.begin() as connection:
        await connection.execute(
            text("CREATE TABLE effects (id bigint GENERATED ALWAYS AS IDENTITY, region_id bigint, message_id uuid)")
        )
    return Effects()


@asynccontextmanager
async def consuming(
    engine: AsyncEngine, kafka: KafkaSettings, effects: Effects, *, concurrency: int = 1
) -> AsyncIterator[asyncio.Task[None]]:
    subscription = Subscription(IngestRequested, effects.handle, concurrency=concurrency)
    consumers = Consumers([subscription], engine=engine, outbox=Outbox("test"), kafka=kafka)
    task = asyncio.ensure_future(consumers.run())
    try:
        yield task
    finally:
        await asyncio.sleep(0.2)  # cancelled while it still starts, FastStream leaves its clients open
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def command(region_id: int, *, ce_id: str | None = None, headers: Headers = ()) -> Message:
    value = encode(IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=region_id)))
    named = [("ce_id", (ce_id or str(new_id())).encode()), *headers]
    return Message(value, f"contracts:{region_id}".encode(), named)


async def happened(engine: AsyncEngine) -> list[int]:
    async with engine.connect() as connection:
        rows = await connection.scalars(text("SELECT region_id FROM effects ORDER BY id"))
        return [int(row) for row in rows]


async def count(engine: AsyncEngine, table: Any) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():  # noqa: ASYNC110  # the database sets no event of ours
        await asyncio.sleep(0.05)


async def until_happened(engine: AsyncEngine, regions: Sequence[int]) -> None:
    async def all_happened() -> bool:
        return set(regions) <= set(await happened(engine))

    await until(all_happened)


async def forget_what_was_read(kafka: KafkaSettings, topic: Topic) -> None:
    """Set the group back to the first message of the partition that tests write to."""
    group = AIOKafkaConsumer(
        topic.value,
        bootstrap_servers=kafka.kafka_bootstrap_servers,
        group_id=f"freeport-test.{topic}",
        enable_auto_commit=False,
        session_timeout_ms=kafka.kafka_session_timeout_ms,
        heartbeat_interval_ms=kafka.kafka_heartbeat_interval_ms,
    )
    await group.start()
    try:
        while not group.assignment():
            await group.getmany(timeout_ms=50)
        await group.commit({TopicPartition(topic.value, 0): 0})
    finally:
        await group.stop()


def poison() -> list[Message]:
    """Messages that nobody can read, each in its own way."""
    good = command(1).value
    assert good is not None
    return [
        Message(b"{not json"),
        Message(b'{"dataset": "contracts"}'),
        Message(b'{"dataset": "contracts", "scope": {"region_id": 99999999999999999999999}}'),
        Message(b'{"dataset": "no\\u0000such"}', b"k\x00ey", [("na\x00me", b"va\x00lue")]),
        Message(b'{"dataset": "\\ud800"}'),
        Message(b"\xff\xfe\x00", b"\xff", [("broken", b"\xff\xfe"), ("absent", None)]),
        Message(None, b"tombstone", [("ce_id", b"\xff")]),
        Message(b""),
        Message(b"[" * 100_000),
        Message(b"\x00" * 1_000_000),
        Message(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    ]


async def test_poison_among_good_messages_is_set_aside_byte_for_byte_and_every_good_one_takes_effect(
    engine: AsyncEngine, kafka: KafkaSettings, effects: Effects
) -> None:
    bad = poison()
    tolerable = command(100, headers=[("x", b"\xff"), ("traceparent", b"\xfe"), ("x-request-id", None)])
    mixed = [message for number, each in enumerate(bad) for message in (each, command(number + 1))]
    await produce(kafka, Topic.COMMANDS, [*mixed, tolerable])

    async with consuming(engine, kafka, effects):
        await until_happened(engine, [*range(1, len(bad) + 1), 100])

    assert sorted(await happened(engine)) == [*range(1, len(bad) + 1), 100]
    async with engine.connect() as connection:
        letters = (await connection.execute(select(tables.dead_letters).order_by(tables.dead_letters.c.offset))).all()
    kept = [
        (row.value, row.key, [*zip((name.decode() for name in row.header_names), row.header_values, strict=True)])
        for row in letters
    ]
    assert kept == [(each.value, each.key, [*each.headers]) for each in bad]
    assert all(row.reason.startswith("unreadable: ") for row in letters)


async def test_a_dead_letter_is_told_of_by_an_event(
    engine: AsyncEngine, kafka: KafkaSettings, effects: Effects
) -> None:
    await produce(kafka, Topic.COMMANDS, [Message(b"{not json", b"a key"), command(1)])

    async with consuming(engine, kafka, effects):
        await until_happened(engine, [1])

    async with engine.connect() as connection:
        row = (await connection.execute(select(tables.outbox))).one()
    told = msgspec.json.decode(row.payload, type=DeadLetter)
    assert (told.source_topic, told.source_key, told.value) == (Topic.COMMANDS, "a key", b"{not json")
    assert row.topic == Topic.DEAD_LETTERS


async def test_deliveries_that_repeat_have_one_effect_and_one_dead_letter(
    engine: AsyncEngine, kafka: KafkaSettings, effects: Effects, broker: Broker
) -> None:
    refused = command(7)
    effects.misbehaviour[7] = _refuse
    once = command(1)
    await produce(kafka, Topic.COMMANDS, [once, once, refused, refused, Message(b"bad"), once, command(2)])
    async with consuming(engine, kafka, effects):
        await until_happened(engine, [1, 2])
    broker.kill()
    broker.start()  # an empty broker's group begins with the earliest message again
    await topics.create_missing(kafka)
    await produce(kafka, Topic.COMMANDS, [once, refused, command(3)])

    async with consuming(engine, kafka, effects):
        await until_happened(engine, [3])

    assert await happened(engine) == [1, 2, 3]
    assert await count(engine, tables.dead_letters) == 2


async def test_the_same_records_read_again_from_the_start_have_no_second_effect(
    engine: AsyncEngine, kafka: KafkaSettings, effects: Effects
) -> None:
    await produce(kafka, Topic.COMMANDS, [command(1), Message(b"bad"), command(2)])
    async with consuming(engine, kafka, effects):
        await until_happened(engine, [1, 2])
    await forget_what_was_read(kafka, Topic.COMMANDS)
    await produce(kafka, Topic.COMMANDS, [command(3)])

    async with consuming(engine, kafka, effects):
        await until_happened(engine, [3])

    assert await happened(engine) == [1, 2, 3]
    assert effects.calls == {1: 1, 2: 1, 3: 1}
    assert await count(engine, tables.dead_letters) == 1
    assert await count(engine, tables.outbox) == 1


async def test_a_handler_that_fails_once_has_its_effect_and_one_that_always_fails_makes_way_for_the_next(
    engine: AsyncEngine, kafka: KafkaSettings, effects: Effects
) -> None:
    async def fail_once(call: int) -> None:
        if call == 1:
            raise RuntimeError("first time")

    async def fail(_call: int) -> None:
        raise RuntimeError("a\x00lways \ud800")

    effects.misbehaviour = {1: fail_once, 2: fail, 3: _refuse}
    await produce(kafka, Topic.COMMANDS, [command(1), command(2), command(3), command(4)])

    async with consuming(engine, kafka, effects, concurrency=2):
        await until_happened(engine, [1, 4])

        async def two_letters() -> bool:
            return await count(engine, tables.dead_letters) == 2

        await until(two_letters)

    assert sorted(await happened(engine)) == [1, 4]
    assert effects.calls == {1: 2, 2: 3, 3: 1, 4: 1}
    async with engine.connect() as connection:
        reasons = set(await connection.scalars(select(tables.dead_letters.c.reason)))
    assert reasons == {"no region of ours", "handler failed: RuntimeError: a\N{SYMBOL FOR NULL}lways ?"}


async def test_messages_of_one_key_are_handled_in_order_though_many_keys_are_handled_at_once(
    engine: AsyncEngine, kafka: KafkaSettings
) -> None:
    await topics.create_missing(kafka)
    handled: list[tuple[int, int]] = []
    under_way: set[int] = set()
    most = 0

    async def handle(delivery: Delivery[ItemsWanted]) -> None:
        nonlocal most
        key, number = delivery.event.contract_ids[0], delivery.event.region_id
        assert key not in under_way
        under_way.add(key)
        most = max(most, len(under_way))
        await asyncio.sleep(0.002 * (number % 3))
        handled.append((key, number))
        under_way.remove(key)

    wanted = [ItemsWanted(region_id=1 + number // 5, contract_ids=(1 + number % 5,)) for number in range(200)]
    await produce(kafka, Topic.ITEMS, [Message(encode(each), each.key.encode()) for each in wanted])
    subscription = Subscription(ItemsWanted, handle, concurrency=4)
    consumers = Consumers([subscription], engine=engine, outbox=Outbox("test"), kafka=kafka)

    task = asyncio.ensure_future(consumers.run())
    while len(handled) < 200:
        assert not task.done()
        await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert most == 4
    for key in range(1, 6):
        assert [number for each, number in handled if each == key] == list(range(1, 41))


async def test_sessions_killed_in_the_middle_of_handling_leave_each_effect_exactly_once(
    engine: AsyncEngine, database: DatabaseSettings, kafka: KafkaSettings, effects: Effects
) -> None:
    watching = create_engine(database, service="watcher")  # its sessions are not among those that are killed

    async def kill_sessions(call: int) -> None:
        if call <= 2:
            async with engine.begin() as connection:
                await connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND application_name = 'freeport-test'"
                    )
                )

    effects.misbehaviour = {3: kill_sessions, 6: kill_sessions}
    await produce(kafka, Topic.COMMANDS, [command(region) for region in range(1, 11)])

    async with consuming(engine, kafka, effects, concurrency=4):
        await until_happened(watching, range(1, 11))

    assert sorted(await happened(watching)) == list(range(1, 11))
    assert effects.calls[3] >= 2
    assert await count(watching, tables.dead_letters) == 0
    await watching.dispose()


async def test_an_exhausted_pool_of_connections_sets_no_message_aside(
    engine: AsyncEngine, kafka: KafkaSettings, effects: Effects
) -> None:
    async def find_the_pool_exhausted(call: int) -> None:
        if call <= 4:
            raise PoolExhaustedError("QueuePool limit of size 10 overflow 0 reached")

    effects.misbehaviour[1] = find_the_pool_exhausted
    await produce(kafka, Topic.COMMANDS, [command(1)])

    async with consuming(engine, kafka, effects):
        await until_happened(engine, [1])

    assert effects.calls[1] == 5
    assert await count(engine, tables.dead_letters) == 0


async def test_the_process_ends_when_what_was_handled_cannot_be_acknowledged(
    engine: AsyncEngine, kafka: KafkaSettings, effects: Effects, broker: Broker
) -> None:
    async def lose_the_broker(_call: int) -> None:
        await asyncio.to_thread(broker.kill)

    effects.misbehaviour[1] = lose_the_broker
    await produce(kafka, Topic.COMMANDS, [command(1)])

    consumers = Consumers(
        [Subscription(IngestRequested, effects.handle)],
        engine=engine,
        outbox=Outbox("test"),
        kafka=kafka,
        ack_seconds=1,
    )

    (ended,) = await asyncio.gather(consumers.run(), return_exceptions=True)

    assert isinstance(ended, TimeoutError)
    assert await happened(engine) == [1]
    broker.start()
    for client in gc.get_objects():
        if isinstance(client, AIOKafkaProducer | AIOKafkaConsumer):
            client._closed = True  # the process would have ended; here its clients complain when they are forgotten


async def test_a_consumer_waits_for_its_topics(engine: AsyncEngine, kafka: KafkaSettings, broker: Broker) -> None:
    effects = Effects()
    async with engine.begin() as connection:
        await connection.execute(
            text("CREATE TABLE effects (id bigint GENERATED ALWAYS AS IDENTITY, region_id bigint, message_id uuid)")
        )
    broker.kill()

    async with consuming(engine, kafka, effects) as task:
        await asyncio.sleep(0.2)
        broker.start()
        await asyncio.sleep(0.2)
        assert not task.done()
        await topics.create_missing(kafka)
        await produce(kafka, Topic.COMMANDS, [command(1)])
        await until_happened(engine, [1])


def test_every_subscription_acknowledges_by_hand_and_begins_with_the_earliest_message(
    engine: AsyncEngine, kafka: KafkaSettings
) -> None:
    async def handle(_delivery: Delivery[Any]) -> None: ...

    subscriptions = [Subscription(event, handle) for event in (IngestRequested, ItemsWanted, ScheduleDue)]
    consumers = Consumers(subscriptions, engine=engine, outbox=Outbox("test"), kafka=kafka)

    subscribers: list[Any] = list(consumers.broker.subscribers)
    assert len(subscribers) == 3
    for subscriber in subscribers:
        assert subscriber.ack_policy is AckPolicy.MANUAL
        assert subscriber._connection_args["enable_auto_commit"] is False
        assert subscriber._connection_args["auto_offset_reset"] == "earliest"
        assert subscriber._no_reply is True


async def _refuse(_call: int) -> None:
    raise SetAsideError("no region of ours")
