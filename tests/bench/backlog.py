"""A backlog that never ends: contracts of another region whose items are wanted again as soon as they are read."""

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from common.events import ITEMS_CHUNK, Dataset, IngestRequested, ItemsWanted, Scope, encode
from common.ids import new_id

ELSEWHERE: Final = 10000001
"""Derelik: a region that no schedule reads."""
WITH_ITEMS: Final = 0.75
"""Of a market, surely; the others are couriers."""
LOOK_SECONDS: Final = 0.2
LONGEST_LOAD: Final = 300

WAITING = "SELECT count(*) FROM contracts WHERE region_id = $1 AND items_state = 'wanted'"
WANT_AGAIN = """
WITH chosen AS (
  SELECT contract_id FROM contracts WHERE region_id = $1 AND items_state = 'stored'
   ORDER BY contract_id LIMIT $2 FOR UPDATE SKIP LOCKED)
UPDATE contracts c
   SET items_state = 'wanted', items_run_id = NULL, items_sent_at = now(), items_due_at = now() + interval '5 minutes'
  FROM chosen WHERE c.contract_id = chosen.contract_id
RETURNING c.contract_id
"""


class Backlog:
    """Keeps about `size` contracts wanted, as a replay of what is stored would; counts those that were read."""

    def __init__(self, connection: Any, producer: AIOKafkaProducer, *, size: int) -> None:
        self._connection = connection
        self._producer = producer
        self._size = size
        self.wanted = 0
        self.least = size

    async def begin(self) -> None:
        """Have the region's list read; its items are the first backlog."""
        command = IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=ELSEWHERE), run_id=new_id())
        await self._producer.send_and_wait(command.topic.value, encode(command), key=command.key.encode())
        async with asyncio.timeout(LONGEST_LOAD):
            while await self._waiting() < self._size:  # noqa: ASYNC110 - rows of others
                await asyncio.sleep(LOOK_SECONDS)

    async def keep_up(self) -> None:
        """Want again what was read, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            waiting = await self._waiting()
            self.least = min(self.least, waiting)
            if waiting <= self._size - ITEMS_CHUNK:
                await self._want(self._size - waiting)

    async def _waiting(self) -> int:
        return int(await self._connection.fetchval(WAITING, ELSEWHERE))

    async def _want(self, count: int) -> None:
        ids = [row["contract_id"] for row in await self._connection.fetch(WANT_AGAIN, ELSEWHERE, count)]
        self.wanted += len(ids)
        for start in range(0, len(ids), ITEMS_CHUNK):
            chunk = ItemsWanted(region_id=ELSEWHERE, contract_ids=tuple(ids[start : start + ITEMS_CHUNK]))
            await self._producer.send(chunk.topic.value, encode(chunk), key=chunk.key.encode())
