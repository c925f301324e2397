import os
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from support import apache_kafka
from support.apache_kafka import ApacheKafka, unavailable

ASKED_FOR = os.environ.get("TEST_BROKER") == "apache-kafka"
WHY_NOT = unavailable() if ASKED_FOR else "TEST_BROKER is not apache-kafka"
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))
TOPIC = "freeport.test.v1"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ApacheKafka]:
    with ApacheKafka(tmp_path, free_port(), free_port()) as kafka:
        yield kafka


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def administering(broker: ApacheKafka) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def create_topic(broker: ApacheKafka) -> None:
    async with administering(broker) as admin:
        await admin.create_topics([NewTopic(TOPIC, num_partitions=1, replication_factor=1)])


async def send(broker: ApacheKafka, *values: bytes) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, acks="all", enable_idempotence=True
    ) as producer:
        for value in values:
            await producer.send_and_wait(TOPIC, value)


async def receive(broker: ApacheKafka, count: int, *, group_id: str) -> list[bytes]:
    """Read on from where the group stands, and commit."""
    async with AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=broker.bootstrap_servers,
        group_id=group_id,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=2000,
        heartbeat_interval_ms=500,
    ) as consumer:
        values = [(await consumer.getone()).value for _ in range(count)]
        await consumer.commit()
    return values


async def test_a_group_reads_what_an_idempotent_producer_sent(broker: ApacheKafka) -> None:
    await create_topic(broker)

    await send(broker, b"one", b"two")

    assert await receive(broker, 2, group_id="readers") == [b"one", b"two"]


async def test_a_crash_keeps_messages_and_the_place_of_a_group(broker: ApacheKafka) -> None:
    await create_topic(broker)
    await send(broker, b"one", b"two")
    await receive(broker, 1, group_id="readers")
    address = broker.bootstrap_servers

    broker.kill()
    broker.start()
    await send(broker, b"three")

    assert broker.bootstrap_servers == address
    assert await receive(broker, 2, group_id="readers") == [b"two", b"three"]
    assert await receive(broker, 3, group_id="others") == [b"one", b"two", b"three"]


async def test_a_restart_without_data_forgets_every_topic(broker: ApacheKafka) -> None:
    await create_topic(broker)

    broker.restart(keep_data=False)

    async with administering(broker) as admin:
        assert TOPIC not in await admin.list_topics()


async def test_a_topic_that_nobody_created_does_not_appear_by_itself(broker: ApacheKafka) -> None:
    async with administering(broker) as admin:
        await admin.describe_topics([TOPIC])

        assert TOPIC not in await admin.list_topics()


def test_what_one_worker_fetched_is_not_replaced_by_another_that_began_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apache_kafka, "JARS", tmp_path / "build" / "kafka")

    def fetched(_worker: int) -> int:
        apache_kafka.fetch()
        return apache_kafka.JARS.stat().st_ino

    with ThreadPoolExecutor(3) as workers:
        seen = list(workers.map(fetched, range(3)))

    assert seen == [apache_kafka.JARS.stat().st_ino] * 3
