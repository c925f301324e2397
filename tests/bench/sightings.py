"""When a new contract is first seen from outside: its events on Kafka, its row and its items in the API."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from aiokafka import AIOKafkaConsumer, TopicPartition

from common.events import ContractEnriched, ContractListed, Topic
from common.settings import KafkaSettings

POLL_SECONDS: Final = 0.01
FETCH_MAX_WAIT_MS: Final = 20
"""The embedded broker sleeps a fetch's wait out, and this is a measurement."""
EVENTS: Final = {ContractListed.type.encode(): "listed", ContractEnriched.type.encode(): "enriched"}

MILESTONES: Final = """
SELECT extract(epoch FROM slot.slot_at)::float8 AS "slot due",
       extract(epoch FROM slot.decided_at)::float8 AS "slot fired",
       extract(epoch FROM run.accepted_at)::float8 AS "command written",
       extract(epoch FROM run.started_at)::float8 AS "sweep begun",
       extract(epoch FROM sweep.swept_at)::float8 AS "list read"
  FROM contracts contract
  JOIN runs run ON run.run_id = contract.items_run_id
  JOIN sweeps sweep ON sweep.run_id = run.run_id
  JOIN schedule_slots slot ON slot.run_id = run.run_id
 WHERE contract.contract_id = $1
"""
"""Transactions are told by when they began, which is after all that they waited for but their connection."""


@dataclass
class Sighting:
    """One contract: the instants (Unix seconds) at which it was seen, by name."""

    contract_id: int
    seen: dict[str, float] = field(default_factory=dict)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, name: str, instant: float) -> None:
        self.seen.setdefault(name, instant)
        if {"listed", "enriched", "row", "items"} <= self.seen.keys():
            self.complete.set()


class Watch:
    """Looks for contracts on the wire and in the API."""

    def __init__(self, consumer: Any, session: aiohttp.ClientSession) -> None:
        self._consumer = consumer
        self._session = session
        self._awaited: dict[bytes, Sighting] = {}

    @contextmanager
    def awaiting(self, contract_id: int) -> Iterator[Sighting]:
        """What is seen of a contract while the block runs."""
        sighting = self._awaited[str(contract_id).encode()] = Sighting(contract_id)
        try:
            yield sighting
        finally:
            del self._awaited[str(contract_id).encode()]

    async def consume(self) -> None:
        """Note the events of awaited contracts, until cancelled."""
        while True:
            batches = await self._consumer.getmany(timeout_ms=1_000)
            now = time.time()
            for record in (record for batch in batches.values() for record in batch):
                sighting = self._awaited.get(record.key)
                if sighting is not None:
                    self._note(sighting, record, now)

    async def poll(self, sighting: Sighting) -> None:
        """Ask the API until it shows the contract's items."""
        while "items" not in sighting.seen:
            async with self._session.get(f"/api/v1/contracts/{sighting.contract_id}") as answer:
                shown = await answer.json() if answer.status == HTTPStatus.OK else None
            now = time.time()
            if shown is not None:
                sighting.note("row", now)
                if shown["items_offered"] or shown["items_requested"]:
                    sighting.note("items", now)
            await asyncio.sleep(POLL_SECONDS)

    @staticmethod
    def _note(sighting: Sighting, record: Any, now: float) -> None:
        headers: Mapping[str, bytes] = dict(record.headers)
        name = EVENTS.get(headers["ce_type"])
        if name is not None:
            sighting.note(f"{name} written", _epoch(headers["ce_time"]))
            sighting.note(f"{name} sent", record.timestamp / 1000)
            sighting.note(name, now)


@asynccontextmanager
async def watching(kafka: KafkaSettings, api_url: str) -> AsyncIterator[Watch]:
    """A watch over everything that is published from now on."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.kafka_bootstrap_servers,
        fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
        max_partition_fetch_bytes=8_000_000,
    )
    await consumer.start()
    try:
        await consumer.topics()
        topic = Topic.CONTRACT_EVENTS.value
        consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()])
        await consumer.seek_to_end()
        async with aiohttp.ClientSession(api_url) as session:
            yield Watch(consumer, session)
    finally:
        await consumer.stop()


def _epoch(stamp: bytes) -> float:
    return datetime.fromisoformat(stamp.decode()).timestamp()
