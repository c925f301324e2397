"""The public contracts of one region: read whole, merged as a set."""

import time
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from common.errors import DeferError
from common.events import Dataset, IngestRequested
from common.ids import derived_id
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.domain.listing import Listing
from ingestor.esi.cache import keep
from ingestor.esi.client import Traffic
from ingestor.esi.listing import ListReader, Memory, Reading
from ingestor.stores.contracts import ContractStore, Freshness, OutOfStepError, SupersededError, fresh
from ingestor.stores.runs import Run, RunStore

SOON = timedelta(minutes=1)
USES_OF_MEMORY = 24
"""Half a day of sweeps; then all is compared again, whatever has come of our rows meanwhile."""


class Contracts:
    """A sweep of a region."""

    name = Dataset.CONTRACTS

    def __init__(self, ingredients: Ingredients) -> None:
        self._engine = ingredients.engine
        self._reader = ListReader(ingredients.engine, ingredients.esi)
        self._outbox = ingredients.outbox
        self._store = ContractStore(ingredients.outbox)
        self._runs = RunStore(ingredients.outbox)
        self._memories: dict[int, Memory] = {}
        self._precedence = ingredients.esi.governor.precedence

    async def read(self, run: Run, traffic: Traffic) -> Reading:
        region_id = _region(run)
        if not run.command.force:
            async with self._engine.connect() as connection:
                freshness = await fresh(connection, region_id)
            if freshness is not None:
                decide(freshness)
        memory = self._memories.get(region_id)
        if memory is None or memory.uses >= USES_OF_MEMORY:
            memory = Memory()
        reading = await self._reader.read(region_id, memory, traffic)
        reading.memory.uses = memory.uses + 1
        return reading

    async def store(self, connection: AsyncConnection, run: Run, reading: Reading) -> Stored:
        region_id = _region(run)
        self._memories.pop(region_id, None)
        try:
            merged = await self._store.merge(connection, reading.listing, run_id=run.run_id)
        except SupersededError as error:
            raise NothingToDoError(f"superseded: {error}") from error
        except OutOfStepError as error:
            raise DeferError(str(error), timedelta(seconds=1)) from error
        await keep(connection, reading.answers)
        if merged.unseen_names:
            await self._want_names(connection, run)
        if merged.flaw is None:
            reading.memory.base, reading.memory.hidden = merged.swept_at, merged.hidden
            self._memories[region_id] = reading.memory
            self._foresee_next(reading.listing)
        return Stored(merged.counts, merged.flaw, merged.at_once)

    def _foresee_next(self, listing: Listing) -> None:
        left = listing.still_fresh_for(time.monotonic()).total_seconds()
        if left > 0:
            self._precedence.foresee(left)

    async def _want_names(self, connection: AsyncConnection, run: Run) -> None:
        command = IngestRequested(dataset=Dataset.NAMES, run_id=derived_id(run.run_id, "names"))
        assert command.run_id is not None
        await self._runs.queue(connection, Run(command.run_id, command), source="ingestor")
        await self._outbox.write(connection, [command])


def decide(freshness: Freshness) -> None:
    """Whether what we hold may be left as it is: raises `NothingToDoError`, or `DeferError` when it soon may not.

    A slot that comes just before upstream's cache expires would otherwise be lost, and the next is far.
    """
    if freshness.left > min(SOON, freshness.whole / 4):
        raise NothingToDoError(f"upstream has nothing newer before {freshness.until:%Y-%m-%dT%H:%M:%SZ}")
    raise DeferError(f"upstream has nothing newer before {freshness.until:%Y-%m-%dT%H:%M:%SZ}", freshness.left)


def _region(run: Run) -> int:
    assert run.scope.region_id is not None, "the event's own check"
    return run.scope.region_id


def build(ingredients: Ingredients) -> Ingest:
    return Contracts(ingredients)
