"""Sending what the outbox holds: in order for each key, many at once, until the broker has it."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from common.database import DATABASE_ERRORS
from common.ids import new_id
from common.logs import get_logger
from common.messaging import cloudevents
from common.messaging.outbox import channel
from common.messaging.producing import create_producer
from common.messaging.wakeup import Wakeup
from common.settings import DatabaseSettings, KafkaSettings

log = get_logger(__name__)

BATCH = 1_000
BATCH_BYTES = 8 * 1024 * 1024
POLL_SECONDS = 2.0
TAKE_OVER_SECONDS = 1.0
QUERY_SECONDS = 30.0
SEND_SECONDS = 10.0
"""For handing a batch over, and again for the broker's answers; both together end before the producer gives a message
up for itself, for it would go on with the next of the same key."""
LEADER_IDLE = "25s"
"""The server ends the session of a relay that neither sends nor polls: a frozen process must not keep the lead."""
ABANDON_SECONDS = 2.0
BACKOFF_SECONDS = (0.2, 0.5, 1, 2, 5)

OLDEST = """
SELECT id, topic, key, event_id, event_type, event_time, traceparent, request_id, payload
  FROM (SELECT *, sum(octet_length(payload)) OVER (ORDER BY id) - octet_length(payload) AS bytes_before
          FROM (SELECT * FROM outbox WHERE service = $1 ORDER BY id LIMIT $2) oldest) measured
 WHERE bytes_before < $3 ORDER BY id
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
# Asked again and again: waiting inside the query would hold a snapshot, and with it every row the leader has deleted.
ONE_RELAY_PER_SERVICE = "SELECT pg_try_advisory_lock(hashtextextended('freeport relay ' || $1, 0))"


class Relay:
    """Sends one service's outbox. Of several replicas one relays; another takes over when its connection ends."""

    def __init__(self, service: str, database: DatabaseSettings, kafka: KafkaSettings) -> None:
        self.service = service
        self.sent = 0
        self._database = database
        self._kafka = kafka
        self._batch = BATCH

    async def run(self) -> None:
        """Relay until cancelled, through restarts of the broker and of the database."""
        failures = 0
        while True:
            sent_before = self.sent
            try:
                async with self._leading() as connection, self._producing() as producer:
                    await self._relay(connection, producer)
            except (KafkaError, *DATABASE_ERRORS, OSError, TimeoutError) as error:
                failures = 0 if self.sent > sent_before else failures + 1
                self._batch = 1  # so that whatever the broker refuses is found by itself
                log.warning("relay interrupted", error=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    @asynccontextmanager
    async def _leading(self) -> AsyncIterator[Any]:
        """A connection of our own; while it lives, no other relay of this service sends."""
        connection = await asyncpg.connect(
            self._database.dsn(),
            timeout=5,
            command_timeout=QUERY_SECONDS,
            server_settings={
                "application_name": f"freeport-{self.service}-relay",
                "idle_session_timeout": LEADER_IDLE,
            },
        )
        try:
            while not await connection.fetchval(ONE_RELAY_PER_SERVICE, self.service):  # noqa: ASYNC110 - as said there
                await asyncio.sleep(TAKE_OVER_SECONDS)
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
            await _abandon(producer)

    async def _relay(self, connection: Any, producer: AIOKafkaProducer) -> None:
        wakeup = Wakeup(connection, channel(self.service))
        await wakeup.listen()
        while True:
            rows = await connection.fetch(OLDEST, self.service, self._batch, BATCH_BYTES)
            if rows:
                await self._send(connection, producer, rows)
                self._batch = BATCH
            else:
                await wakeup.wait(POLL_SECONDS)

    async def _send(self, connection: Any, producer: AIOKafkaProducer, rows: Sequence[Any]) -> None:
        """Send `rows` and delete those the broker has, but none behind an unsent one of the same key."""
        futures, error = await self._hand_over(connection, producer, rows)
        if futures:
            await asyncio.wait(futures, timeout=SEND_SECONDS)
        unsent_keys: set[tuple[str, str]] = set()
        sent: list[int] = []
        for row, future in zip(rows, futures, strict=False):
            fault = _fault(future)
            if isinstance(fault, MessageSizeTooLargeError) and len(rows) == 1:
                await self._set_aside(connection, row, fault)
            elif fault is not None:
                error = error or fault
                unsent_keys.add((row["topic"], row["key"]))
            elif (row["topic"], row["key"]) not in unsent_keys:
                sent.append(row["id"])
        await connection.execute(SENT, sent)
        self.sent += len(sent)
        if error is not None:
            raise error

    async def _hand_over(
        self, connection: Any, producer: AIOKafkaProducer, rows: Sequence[Any]
    ) -> tuple[list[asyncio.Future[object]], BaseException | None]:
        """Give `rows` to the producer, as far as it takes them, and say what stopped it."""
        futures: list[asyncio.Future[object]] = []
        try:
            async with asyncio.timeout(SEND_SECONDS):
                for row in rows:
                    futures.append(await self._enqueue(connection, producer, row))  # noqa: PERF401 - kept if one fails
        except TimeoutError:
            return futures, TimeoutError(f"{rows[len(futures)]['topic']} takes no messages")
        except KafkaError as error:
            return futures, error
        return futures, None

    async def _enqueue(self, connection: Any, producer: AIOKafkaProducer, row: Any) -> asyncio.Future[object]:
        try:
            return await self._to_producer(producer, row)
        except MessageSizeTooLargeError as error:
            await self._set_aside(connection, row, error)
            gone = asyncio.get_running_loop().create_future()
            gone.set_result(None)
            return gone

    async def _set_aside(self, connection: Any, row: Any, error: Exception) -> None:
        log.error("message set aside", event_id=str(row["event_id"]), reason=str(error))
        await connection.execute(SET_ASIDE, row["id"], new_id(), f"the broker refuses it: {error}")

    async def _to_producer(self, producer: AIOKafkaProducer, row: Any) -> asyncio.Future[object]:
        future: asyncio.Future[object] = await producer.send(
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


def _fault(future: asyncio.Future[object]) -> BaseException | None:
    """Why the broker is not known to have the message, or None when it has it."""
    if not future.done():
        future.cancel()
        return TimeoutError("the broker does not answer")
    return future.exception()


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Stop without a flush: what is unsent stays in the outbox, and nothing is sent behind a successor's back.

    The producer's own `stop` waits for its messages, and when that is cut short its task goes on sending for ever.
    """
    sender, producer._sender = producer._sender, None  # noqa: SLF001 - there is no public way; `stop` flushes nothing now
    task = sender.sender_task if sender is not None else None
    if task is not None:
        task.cancel()
    await _briefly(producer.client.close())  # fails what is under way, for which the cancelled task waits
    if task is not None:
        await asyncio.wait([task], timeout=ABANDON_SECONDS)  # it may wait for metadata that never comes
    await _briefly(producer.stop())


async def _briefly(ending: Coroutine[Any, Any, None]) -> None:
    """Let it end, but not for ever: the client waits for tasks of its own, and a relay must never wait with it."""
    task = asyncio.ensure_future(ending)
    done, _ = await asyncio.wait([task], timeout=ABANDON_SECONDS)
    if done:
        task.result()
    else:
        task.cancel()
        log.warning("producer left behind")
