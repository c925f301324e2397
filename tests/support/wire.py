"""The wire as a test sees it: what stands on a topic, in order."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from common.settings import KafkaSettings

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Message:
    """What a test puts on the wire."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = field(default_factory=tuple)


async def produce(kafka: KafkaSettings, topic: str, messages: Iterable[Message], *, partition: int = 0) -> None:
    """Put `messages` on one partition, in this order."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.kafka_bootstrap_servers, acks="all", linger_ms=5, max_request_size=8_000_000
    )
    await producer.start()
    try:
        sent = [
            await producer.send(topic, message.value, key=message.key, headers=message.headers, partition=partition)
            for message in messages
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def read_until(kafka: KafkaSettings, topic: str, distinct: int) -> list[Any]:
    """Everything on `topic` from its start, as soon as it holds that many different `ce_id`s."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.kafka_bootstrap_servers, fetch_max_wait_ms=50, max_partition_fetch_bytes=8_000_000
    )
    await consumer.start()
    try:
        partitions = consumer.partitions_for_topic(topic) or await _partitions(consumer, topic)
        consumer.assign([TopicPartition(topic, number) for number in partitions])
        await consumer.seek_to_beginning()
        records: list[Any] = []
        while len({ce_id(record) for record in records}) < distinct:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records.extend(batch)
        return records
    finally:
        await consumer.stop()


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    while True:
        with suppress(KafkaError):
            await consumer.topics()
        found: set[int] | None = consumer.partitions_for_topic(topic)
        if found:
            return found
        await asyncio.sleep(0.05)


def ce_id(record: Any) -> str:
    named: dict[str, bytes] = dict(record.headers)
    return named.get("ce_id", b"").decode()


def first_seen_by_key(records: Iterable[Any]) -> dict[str, list[str]]:
    """For each key its `ce_id`s in the order in which they were first seen."""
    seen: dict[str, dict[str, None]] = defaultdict(dict)
    for record in records:
        seen[record.key.decode()].setdefault(ce_id(record))
    return {key: list(ids) for key, ids in seen.items()}
