"""The public contracts of one region: read whole, merged as a set."""

from sqlalchemy.ext.asyncio import AsyncConnection

from common.events import Dataset, IngestRequested
from common.ids import derived_id
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.domain.listing import Listing
from ingestor.esi.client import Traffic
from ingestor.esi.listing import public_contracts
from ingestor.stores.contracts import ContractStore, SupersededError, fresh_until
from ingestor.stores.runs import Run


class Contracts:
    """A sweep of a region."""

    name = Dataset.CONTRACTS

    def __init__(self, ingredients: Ingredients) -> None:
        self._engine = ingredients.engine
        self._esi = ingredients.esi
        self._outbox = ingredients.outbox
        self._store = ContractStore(ingredients.outbox)

    async def read(self, run: Run, traffic: Traffic) -> Listing:
        region_id = _region(run)
        if not run.command.force:
            async with self._engine.connect() as connection:
                until = await fresh_until(connection, region_id)
            if until is not None:
                raise NothingToDoError(f"upstream has nothing newer before {until:%Y-%m-%dT%H:%M:%SZ}")
        return await public_contracts(self._esi, region_id, traffic)

    async def store(self, connection: AsyncConnection, run: Run, reading: Listing) -> Stored:
        try:
            merged = await self._store.merge(connection, reading, run_id=run.run_id)
        except SupersededError as error:
            raise NothingToDoError(f"superseded: {error}") from error
        if merged.unseen_names:
            names = IngestRequested(dataset=Dataset.NAMES, run_id=derived_id(run.run_id, "names"))
            await self._outbox.write(connection, [names])
        return Stored(merged.counts, reading.flaw)


def _region(run: Run) -> int:
    assert run.scope.region_id is not None, "the event's own check"
    return run.scope.region_id


def build(ingredients: Ingredients) -> Ingest:
    return Contracts(ingredients)
