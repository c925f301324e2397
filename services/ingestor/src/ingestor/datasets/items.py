"""Contracts' items once more: summarised by the rules of now, and read again where they could not be read before."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.errors import DeferError
from common.events import Dataset
from common.messaging.outbox import Outbox
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.esi.client import Traffic
from ingestor.stores import replaying
from ingestor.stores.advancing import advance, counted
from ingestor.stores.items import ItemStore
from ingestor.stores.runs import Run

CONTRACTS_PER_CHUNK = 500
CHUNKS_PER_ATTEMPT = 10
"""A few seconds of work; the run is put off in between, so that nothing else waits for it."""


class Items:
    """Replays a region, a contract or what older rules have summarised; of itself it heals what is due.

    Contracts whose items are stored need no request. Each chunk of them is a transaction that counts itself, so that a
    run that is killed goes on where it was. The others are asked for like new ones, and end the run when they are read.
    """

    name = Dataset.ITEMS

    def __init__(self, engine: AsyncEngine, outbox: Outbox, *, chunk: int = CONTRACTS_PER_CHUNK) -> None:
        self._engine = engine
        self._items = ItemStore(outbox)
        self._chunk = chunk

    async def waiting(self, connection: AsyncConnection) -> bool:
        return await replaying.waiting(connection)

    async def read(self, run: Run, traffic: Traffic) -> None:
        del traffic
        if _forced(run):
            return
        for _ in range(CHUNKS_PER_ATTEMPT):
            if await self._derive(run) < self._chunk:
                return
        raise DeferError("more contracts are left to be summarised", after=timedelta())

    async def store(self, connection: AsyncConnection, run: Run, reading: None) -> Stored:
        del reading
        wanted = await replaying.want(connection, run.run_id, run.scope, force=_forced(run))
        counts = {**await counted(connection, run.run_id), "items_wanted": wanted}
        if not any(counts.values()):
            raise NothingToDoError("no contract of the scope has to be summarised or read again")
        return Stored(counts)

    async def _derive(self, run: Run) -> int:
        async with self._engine.begin() as connection:
            done = await replaying.derive(connection, self._items, run.run_id, run.scope, most=self._chunk)
            unchanged = done.looked_at - done.changed
            await advance(connection, run.run_id, fetched=done.looked_at, changed=done.changed, unchanged=unchanged)
        return done.looked_at


def _forced(run: Run) -> bool:
    """Whether what is stored is to be read again, too; never of the whole market at once."""
    return run.command.force and bool(run.scope.parts())


def build(ingredients: Ingredients) -> Ingest:
    return Items(ingredients.engine, ingredients.outbox)
