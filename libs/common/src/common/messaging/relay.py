"""Sending what the outbox holds: in order for each key, many at once, until the broker has it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from common.ids import new_id
from common.logs import get_logger
from common.messaging import cloudevents
from common.messaging.outbox import channel
from common.messaging.producing import create_producer
from common.messaging.wakeup import Wakeup
from common.settings import DatabaseSettings, KafkaSettings

log = get_logger(__name__)

BATCH = 1_000
POLL_SECONDS = 2.0
SEND_SECONDS = 20.0
BACKOFF_SECONDS = (0.2, 0.5, 1, 2, 5)

OLDEST = """
SELECT id, topic, key, event_id, event_type, event_time, traceparent, request_id, payload
  FROM outbox WHERE service = $1 ORDER BY id LIMIT $2
"""
SENT = "DELETE FROM outbox WHERE id = ANY($1::bigint[])"
SET_ASIDE = """
WITH gone AS (DELETE FROM outbox WHERE id = $1 RETURNING *)
INSERT INTO dead_letters (dead_letter_id, consumer, topic, partition, "offset", timestamp_ms, key, value,
                          header_names, header_values, reason)
SELECT $2, 'relay.' || service, topic, -1, id, extract(epoch FROM event_time)::bigint * 1000, convert_to(key, 'UTF8'),
       payload, ARRAY[convert_to('ce_id', 'UTF8'), convert_to('ce_type', 'UTF8')],
       ARRAY[convert_to(event_id::text, 'UTF8'), convert_to(event_type, 'UTF8')], $3
  FROM gone
"""
ONE_RELAY_PER_SERVICE = "SELECT pg_advisory_lock(hashtextextended('freeport relay ' || $1, 0))"


class Relay:
    """Sends one service's outbox. Of several replicas one relays; another takes over when its connection ends."""

    def __init__(self, service: str, database: DatabaseSettings, kafka: KafkaSettings) -> None:
        self.service = service
        self.sent = 0
        self._database = database
        self._kafka = kafka

    async def run(self) -> None:
        """Relay until cancelled, through restarts of the broker and of the database."""
        failures = 0
        while True:
            sent_before = self.sent
            try:
                async with self._leading() as connection, self._producing() as producer:
                    await self._relay(connection, producer)
            except (KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                failures = 0 if self.sent > sent_before else failures + 1
                log.warning("relay interrupted", error=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    @asynccontextmanager
    async def _leading(self) -> AsyncIterator[Any]:
        """A connection of our own; while it lives, no other relay of this service sends."""
        connection = await asyncpg.connect(
            self._database.dsn(), timeout=5, server_settings={"application_name": f"freeport-{self.service}-relay"}
        )
        try:
            await connection.execute(ONE_RELAY_PER_SERVICE, self.service)
            yield connection
        finally:
            connection.terminate()

    @asynccontextmanager
    async def _producing(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = create_producer(self._kafka, service=self.service)
        try:
            await producer.start()
            yield producer
        finally:
            # What is unsent stays in the outbox, so nothing is gained by waiting for a broker that is gone.
            await _within(5, producer.stop())

    async def _relay(self, connection: Any, producer: AIOKafkaProducer) -> None:
        wakeup = Wakeup(connection, channel(self.service))
        await wakeup.listen()
        while True:
            rows = await connection.fetch(OLDEST, self.service, BATCH)
            if rows:
                await self._send(connection, producer, rows)
            if len(rows) < BATCH:
                await wakeup.wait(POLL_SECONDS)

    async def _send(self, connection: Any, producer: AIOKafkaProducer, rows: Sequence[Any]) -> None:
        """Send `rows` and delete those the broker has, but none behind an unsent one of the same key."""
        async with asyncio.timeout(SEND_SECONDS):
            outcomes = await asyncio.gather(*await self._enqueue(connection, producer, rows), return_exceptions=True)
        unsent_keys: set[tuple[str, str]] = set()
        sent: list[int] = []
        error: BaseException | None = None
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                error = outcome
                unsent_keys.add((row["topic"], row["key"]))
            elif (row["topic"], row["key"]) not in unsent_keys:
                sent.append(row["id"])
        await connection.execute(SENT, sent)
        self.sent += len(sent)
        if error is not None:
            raise error

    async def _enqueue(
        self, connection: Any, producer: AIOKafkaProducer, rows: Sequence[Any]
    ) -> list[Awaitable[object]]:
        futures: list[Awaitable[object]] = []
        for row in rows:
            try:
                futures.append(await self._to_producer(producer, row))
            except MessageSizeTooLargeError as error:
                log.error("message set aside", event_id=str(row["event_id"]), reason=str(error))  # noqa: TRY400
                await connection.execute(SET_ASIDE, row["id"], new_id(), f"the broker refuses it: {error}")
                futures.append(asyncio.sleep(0))
        return futures

    async def _to_producer(self, producer: AIOKafkaProducer, row: Any) -> Awaitable[object]:
        future: Awaitable[object] = await producer.send(
            row["topic"],
            value=row["payload"],
            key=row["key"].encode(),
            headers=cloudevents.headers(
                event_id=row["event_id"],
                event_type=row["event_type"],
                service=self.service,
                time=row["event_time"],
                traceparent=row["traceparent"],
                request_id=row["request_id"],
            ),
        )
        return future


async def _within(seconds: float, work: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        log.warning("gave up waiting for the producer to stop")
