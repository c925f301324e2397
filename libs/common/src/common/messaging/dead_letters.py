"""Messages that cannot be handled: kept byte for byte, told of, and never in the way of the next one."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from common.events import DeadLetter
from common.ids import derived_id
from common.messaging.outbox import Outbox
from common.tables import dead_letters


class Record(Protocol):
    """A Kafka record as aiokafka hands it over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


VALUE_IN_EVENT = 256 * 1024
"""Bytes of a dead message that travel in the event; the table holds all of it."""


async def set_aside(connection: AsyncConnection, outbox: Outbox, record: Record, *, reason: str) -> None:
    """Store `record` with the reason, once however often it is delivered, and tell operators."""
    dead_letter_id = derived_id(outbox.service, record.topic, record.partition, record.offset, record.timestamp)
    stored = await connection.execute(
        insert(dead_letters)
        .values(
            dead_letter_id=dead_letter_id,
            consumer=outbox.service,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp,
            key=record.key,
            value=record.value,
            header_names=[name.encode() for name, _ in record.headers],
            header_values=[value for _, value in record.headers],
            reason=storable(reason),
        )
        .on_conflict_do_nothing()
    )
    if stored.rowcount:
        value = record.value or b""
        event = DeadLetter(
            dead_letter_id=dead_letter_id,
            consumer=outbox.service,
            source_topic=record.topic,
            source_partition=record.partition,
            source_offset=record.offset,
            source_key=storable((record.key or b"").decode("utf-8", "replace"))[:1000] or None,
            reason=storable(reason),
            size=len(value),
            value=value if len(value) <= VALUE_IN_EVENT else None,
        )
        await outbox.write(connection, [event])


def storable(text: str) -> str:
    """`text` without what PostgreSQL cannot store, NUL and half surrogates, and of bearable length."""
    return text[:2000].replace("\x00", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode()
