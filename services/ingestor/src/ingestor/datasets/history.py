"""What is kept no longer: days that lie behind the retention become price statistics, and their rows are removed."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.events import Dataset
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.domain.statistics import statistics
from ingestor.esi.client import Traffic
from ingestor.stores import history
from ingestor.stores.advancing import advance, counted
from ingestor.stores.history import RegionDay
from ingestor.stores.runs import Run

ROWS_PER_BATCH = 2_000
BATCHES_PER_RUN = 20
"""What is left over is the next run's."""


class History:
    """Rolls up and removes, in transactions of their own: whatever is killed between two of them goes on from there."""

    name = Dataset.HISTORY

    def __init__(self, engine: AsyncEngine, retention: timedelta, *, batch: int = ROWS_PER_BATCH) -> None:
        self._engine = engine
        self._retention = retention
        self._batch = batch

    async def read(self, run: Run, traffic: Traffic) -> None:
        del traffic
        for _ in range(BATCHES_PER_RUN):
            async with self._engine.connect() as connection:
                day = await history.oldest(connection, self._retention)
            if day is None:
                break
            await self._roll_up(day)
            await self._remove(run, day)
        for _ in range(BATCHES_PER_RUN):
            if not await self._remove_runs(run):
                break

    async def store(self, connection: AsyncConnection, run: Run, reading: None) -> Stored:
        del reading
        counts = await counted(connection, run.run_id)
        if not any(counts.values()):
            raise NothingToDoError("nothing is older than what is to be kept")
        return Stored(counts)

    async def waiting(self, connection: AsyncConnection) -> bool:
        return await history.waiting(connection, self._retention)

    async def _roll_up(self, day: RegionDay) -> None:
        """Make the day's statistics if nobody has: from then on they stay, whatever becomes of its contracts."""
        async with self._engine.begin() as connection:
            if await history.claim(connection, day):
                offers = await history.offers(connection, day)
                await history.keep(connection, day, statistics(offers))

    async def _remove(self, run: Run, day: RegionDay) -> None:
        async with self._engine.begin() as connection:
            removed = await history.remove(connection, day, most=self._batch)
            await advance(connection, run.run_id, fetched=removed, changed=removed)

    async def _remove_runs(self, run: Run) -> bool:
        async with self._engine.begin() as connection:
            removed = await history.remove_runs(connection, self._retention, most=self._batch)
            await advance(connection, run.run_id, fetched=removed, changed=removed)
        return removed == self._batch


def build(ingredients: Ingredients) -> Ingest:
    return History(ingredients.engine, ingredients.retention)
