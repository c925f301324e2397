"""The public contracts of one region: read whole, merged as a set."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from common.errors import DeferError
from common.events import Dataset, IngestRequested
from common.ids import derived_id
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.domain.listing import Listing
from ingestor.esi.client import Traffic
from ingestor.esi.listing import public_contracts
from ingestor.stores.contracts import ContractStore, Freshness, SupersededError, fresh
from ingestor.stores.runs import Run, RunStore

SOON = timedelta(minutes=1)
LAZY = timedelta(seconds=2)
"""After the expiry: ESI builds the next generation when somebody asks for it, and its clock is not ours."""


class Contracts:
    """A sweep of a region."""

    name = Dataset.CONTRACTS

    def __init__(self, ingredients: Ingredients) -> None:
        self._engine = ingredients.engine
        self._esi = ingredients.esi
        self._outbox = ingredients.outbox
        self._store = ContractStore(ingredients.outbox)
        self._runs = RunStore(ingredients.outbox)

    async def read(self, run: Run, traffic: Traffic) -> Listing:
        region_id = _region(run)
        if not run.command.force:
            async with self._engine.connect() as connection:
                freshness = await fresh(connection, region_id)
            if freshness is not None:
                decide(freshness)
        return await public_contracts(self._esi, region_id, traffic)

    async def store(self, connection: AsyncConnection, run: Run, reading: Listing) -> Stored:
        try:
            merged = await self._store.merge(connection, reading, run_id=run.run_id)
        except SupersededError as error:
            raise NothingToDoError(f"superseded: {error}") from error
        if merged.unseen_names:
            await self._want_names(connection, run)
        return Stored(merged.counts, reading.flaw)

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
    raise DeferError(f"upstream has nothing newer before {freshness.until:%Y-%m-%dT%H:%M:%SZ}", freshness.left + LAZY)


def _region(run: Run) -> int:
    assert run.scope.region_id is not None, "the event's own check"
    return run.scope.region_id


def build(ingredients: Ingredients) -> Ingest:
    return Contracts(ingredients)
