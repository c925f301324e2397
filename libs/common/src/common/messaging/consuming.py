"""The one safe way to consume: batches, own decoding, explicit acknowledgement, poison isolated.

FastStream runs the loop; what it would do on failure (skip, lose a batch, spin) is decided here instead.
"""

import asyncio
import dataclasses
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import is_transient
from common.errors import AlreadyHandledError, SetAsideError
from common.events import Event, Topic
from common.logs import get_logger
from common.messaging import cloudevents
from common.messaging.dead_letters import Record, set_aside
from common.messaging.delivery import Delivery, handled
from common.messaging.epochs import one_epoch
from common.messaging.listening import listen
from common.messaging.outbox import Outbox
from common.service import together
from common.settings import KafkaSettings
from common.telemetry import continued, tracing

log = get_logger(__name__)

E = TypeVar("E", bound=Event)

ACK_SECONDS = 10
"""aiokafka repeats a failing commit without end; past this the process restarts instead."""
OUTAGE_SECONDS = 60
"""How long a batch waits for the database before the process gives up; far below `max_poll_interval_ms`."""
PAUSES_ON_FAILURE = (1.0, 3.0)
"""Repeats of a handler that failed for no known reason, before its message is set aside."""
GRACEFUL_SECONDS = 5.0
LEAVING_SECONDS = 3.0


@dataclasses.dataclass(frozen=True)
class Subscription(Generic[E]):
    """Which event, who handles it, and how many keys at once. Messages of one key are handled in order.

    With `only`, the others are left to another subscription of the same event, whose consumer `group` has a name of its
    own: a batch is over when the slowest of it is handled, and what must be quick must not wait for that. One that has
    a `group` leaves what cannot be read to the one that has none.
    """

    event: type[E]
    handle: Callable[[Delivery[E]], Awaitable[None]]
    batch: int = 100
    concurrency: int = 1
    only: Callable[[E], bool] | None = None
    group: str = ""
    fetch_wait_ms: int = 0
    """How long a fetch waits for messages at the least, where nobody is in a hurry: an empty one costs, too."""

    @property
    def name(self) -> str:
        """The topic, and the group where it has one."""
        return f"{self.event.topic}.{self.group}" if self.group else self.event.topic.value


class Consumers:
    """All subscriptions of one service."""

    def __init__(
        self,
        subscriptions: Sequence[Subscription[Any]],
        *,
        engine: AsyncEngine,
        outbox: Outbox,
        kafka: KafkaSettings,
        ack_seconds: float = ACK_SECONDS,
    ) -> None:
        self._engine = engine
        self._outbox = outbox
        self._kafka = kafka
        self._ack_seconds = ack_seconds
        self._failed: asyncio.Future[None] | None = None
        self._subscribers: dict[str, Any] = {}
        self._topics: set[str] = {subscription.event.topic.value for subscription in subscriptions}
        self._in_hand: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self.broker = KafkaBroker(
            kafka.kafka_bootstrap_servers,
            client_id=f"freeport-{outbox.service}",
            allow_auto_create_topics=False,
            acks="all",
            graceful_timeout=GRACEFUL_SECONDS,
            logger=None,
        )
        for subscription in subscriptions:
            self._subscribe(subscription)

    async def run(self) -> None:
        """Consume until cancelled. Raises when only a restart of the process can help."""
        self._failed = asyncio.get_running_loop().create_future()
        await self._topics_exist()
        try:
            await self.broker.connect()
            await asyncio.gather(*(listen(subscriber) for subscriber in self._subscribers.values()))
            log.info("consuming", topics=list(self._subscribers))
            await together(self._until_failed(), one_epoch(self._engine))
        finally:
            await self._stop()

    async def _until_failed(self) -> None:
        assert self._failed is not None
        await self._failed

    def progress(self) -> dict[str, Any]:
        """For each subscription: partitions held, and when the one polled longest ago was last polled (Unix ms)."""
        return {topic: _progress(subscriber) for topic, subscriber in self._subscribers.items()}

    async def _stop(self) -> None:
        """Let the batches in hand end, in good time; what is cut off is not acknowledged and comes again."""
        self._stopping = True
        if self._in_hand:
            await asyncio.wait(self._in_hand, timeout=GRACEFUL_SECONDS)
        for task in self._in_hand:
            task.cancel()
        # In a task of its own: within a cancelled one FastStream leaves the handlers running.
        leaving = asyncio.create_task(self.broker.stop())
        await asyncio.wait([leaving], timeout=LEAVING_SECONDS)
        if not leaving.done() or leaving.exception() is not None:
            log.warning("left the consumer groups without saying so")

    async def _topics_exist(self) -> None:
        """Wait for the broker and its topics, for a consumer that starts before them never recovers."""
        wanted = self._topics
        missing: set[str] | str = wanted
        while missing:
            try:
                missing = wanted - await _topics(self._kafka)
            except (KafkaError, OSError) as error:
                missing = f"{type(error).__name__}: {error}"
            if missing:
                log.warning("waiting for the broker", missing=str(missing))
                await asyncio.sleep(1)

    def _subscribe(self, subscription: Subscription[Any]) -> None:
        topic: Topic = subscription.event.topic
        batches = _Batches(subscription, engine=self._engine, outbox=self._outbox)

        subscriber = self._subscribers[subscription.name] = self.broker.subscriber(
            topic.value,
            group_id=f"freeport-{self._outbox.service}.{subscription.name}",
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            batch=True,
            max_records=subscription.batch,
            batch_timeout_ms=self._kafka.kafka_fetch_max_wait_ms,
            fetch_max_wait_ms=max(self._kafka.kafka_fetch_max_wait_ms, subscription.fetch_wait_ms),
            session_timeout_ms=self._kafka.kafka_session_timeout_ms,
            heartbeat_interval_ms=self._kafka.kafka_heartbeat_interval_ms,
            no_reply=True,
            parser=_tolerant,
            decoder=_undecoded,
        )

        @subscriber
        async def on_batch(message: KafkaMessage) -> None:
            task = asyncio.current_task()
            assert task is not None
            if self._stopping:
                return  # unacknowledged: it comes again
            self._in_hand.add(task)
            try:
                await batches.handle(message.raw_message)
                async with asyncio.timeout(self._ack_seconds):
                    await message.ack()
            except Exception as error:
                if self._failed is not None and not self._failed.done():
                    self._failed.set_exception(error)
                log.exception("consumer stops", topic=topic.value)
                self._in_hand.discard(task)
                await asyncio.sleep(3600)  # unacknowledged and unreleased, until the process ends
            finally:
                self._in_hand.discard(task)


class _Batches(Generic[E]):
    """Decodes and handles batches of one subscription."""

    def __init__(self, subscription: Subscription[E], *, engine: AsyncEngine, outbox: Outbox) -> None:
        self._subscription = subscription
        self._engine = engine
        self._outbox = outbox
        self._decoder = msgspec.json.Decoder(subscription.event)
        self._slots = asyncio.Semaphore(subscription.concurrency)

    async def handle(self, records: Sequence[Record]) -> None:
        """Give every readable record to the handler and set the others aside; all effects are committed on return."""
        by_key: dict[str, list[tuple[Record, Delivery[E]]]] = defaultdict(list)
        for record in records:
            try:
                delivery = self._decode(record)
            except Exception as error:  # noqa: BLE001 - a message that cannot be read must never stop the consumer
                if not self._subscription.group:
                    await self._set_aside(record, f"unreadable: {error}")
            else:
                if self._is_mine(delivery.event):
                    by_key[delivery.event.key].append((record, delivery))
        pending = [delivery.id for queue in by_key.values() for _, delivery in queue]
        if pending:
            done = await _outlasting_outages(lambda: self._handled(pending))
            await asyncio.gather(*(self._in_order(queue, done) for queue in by_key.values()))

    def _is_mine(self, event: E) -> bool:
        return self._subscription.only is None or self._subscription.only(event)

    def _decode(self, record: Record) -> Delivery[E]:
        if record.value is None:
            raise TypeError("the message has no value")
        named = cloudevents.readable(record.headers)
        message_id = cloudevents.message_id(
            named,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            timestamp_ms=record.timestamp,
        )
        return Delivery(
            id=message_id,
            event=self._decoder.decode(record.value),
            trace=continued(named.get("traceparent"), named.get("x-request-id")),
            consumer=self._outbox.service,
            engine=self._engine,
        )

    async def _handled(self, ids: list[Any]) -> set[Any]:
        async with self._engine.connect() as connection:
            return await handled(connection, self._outbox.service, ids)

    async def _in_order(self, queue: list[tuple[Record, Delivery[E]]], done: set[Any]) -> None:
        async with self._slots:
            for record, delivery in queue:
                if delivery.id not in done:
                    with tracing(delivery.trace, event_id=delivery.id, run_id=getattr(delivery.event, "run_id", None)):
                        await self._one(record, delivery)

    async def _one(self, record: Record, delivery: Delivery[E]) -> None:
        for pause in (*PAUSES_ON_FAILURE, None):
            try:
                await _outlasting_outages(lambda: self._subscription.handle(delivery))
            except AlreadyHandledError:
                return
            except SetAsideError as error:
                await self._set_aside(record, str(error), delivery)
                return
            except Exception as error:
                if is_transient(error):
                    raise
                log.exception("handler failed", repeats_after=pause)
                if pause is None:
                    await self._set_aside(record, f"handler failed: {type(error).__name__}: {error}", delivery)
                    return
                await asyncio.sleep(pause)
            else:
                return

    async def _set_aside(self, record: Record, reason: str, delivery: Delivery[E] | None = None) -> None:
        log.warning("message set aside", reason=reason, topic=record.topic, offset=record.offset)

        async def store() -> None:
            async with self._engine.begin() as connection:
                if delivery is not None:
                    await delivery.claim(connection)
                await set_aside(connection, self._outbox, record, reason=reason)

        try:
            await _outlasting_outages(store)
        except AlreadyHandledError:
            return  # its twin, in this batch or with another consumer, came first


R = TypeVar("R")


async def _outlasting_outages(work: Callable[[], Awaitable[R]]) -> R:
    """Repeat `work` while the database is away, for as long as a batch may wait."""
    give_up = time.monotonic() + OUTAGE_SECONDS
    pause = 0.1
    while True:
        try:
            return await work()
        except Exception as error:
            if not is_transient(error) or time.monotonic() > give_up:
                raise
            log.warning("database is away", error=type(error).__name__, repeats_after=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


async def _tolerant(raw: Sequence[Record], original: Callable[[Any], Awaitable[Any]]) -> Any:
    """FastStream decodes headers strictly, outside of its error handling; give it ones that cannot fail."""
    harmless = tuple(
        dataclasses.replace(
            cast("Any", record),
            headers=tuple((k, (v or b"").decode("utf-8", "replace").encode()) for k, v in record.headers),
        )
        for record in raw
    )
    message = await original(harmless)
    message.raw_message = tuple(raw)
    return message


async def _undecoded(_message: Any) -> None:
    """Decoding is ours, record by record: one unreadable message must not take its batch along."""


async def _topics(kafka: KafkaSettings) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka_bootstrap_servers, request_timeout_ms=5_000)
    try:
        await admin.start()
        return set(await admin.list_topics())
    finally:
        await admin.close()


def _progress(subscriber: Any) -> dict[str, Any]:
    consumer = subscriber.consumer
    assigned = consumer.assignment() if consumer else ()
    polled = [consumer.last_poll_timestamp(partition) for partition in assigned]
    oldest = min((stamp for stamp in polled if stamp), default=None)
    return {"partitions": len(assigned), "polled_at_ms": oldest}
