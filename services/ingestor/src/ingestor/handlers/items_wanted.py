"""Contracts' items: read a chunk at once, summarise, store in one transaction."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.events import ItemsWanted
from common.messaging.delivery import Delivery
from ingestor.datasets.universe import describe_types, learn
from ingestor.domain.summary import summarise
from ingestor.esi.client import EsiClient, Traffic
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.items import ItemsMissing, ItemsRead, contract_items
from ingestor.stores import items as item_rows
from ingestor.stores import universe
from ingestor.stores.items import ItemStore, Settled
from ingestor.stores.runs import RunStore

DEADLINE_SECONDS = 60
AWAY_SECONDS = 5


@dataclass(slots=True)
class Haul:
    """What a chunk brought."""

    read: list[ItemsRead] = field(default_factory=list)
    missing: list[ItemsMissing] = field(default_factory=list)
    deferred: list[int] = field(default_factory=list)
    deferred_for: timedelta = timedelta(seconds=AWAY_SECONDS)

    def type_ids(self) -> list[int]:
        return sorted({item.type_id for entry in self.read for item in entry.items})

    def defer_holders_of(self, type_ids: Sequence[int]) -> None:
        """Put off the contracts that hold any of `type_ids`, as if they had not been read."""
        held = [entry for entry in self.read if any(item.type_id in type_ids for item in entry.items)]
        self.deferred += [entry.contract_id for entry in held]
        self.read = [entry for entry in self.read if entry not in held]


class ItemsWantedHandler:
    """Reads what contracts hold."""

    def __init__(self, esi: EsiClient, items: ItemStore, runs: RunStore) -> None:
        self._esi = esi
        self._items = items
        self._runs = runs

    async def __call__(self, delivery: Delivery[ItemsWanted]) -> None:
        async with delivery.engine.connect() as connection:
            wanted = await item_rows.wanted_of(connection, delivery.event.contract_ids)
        traffic = Traffic()
        haul = await self._fetch(wanted, traffic)
        await self._learn_types(delivery.engine, haul, traffic)
        async with delivery.transaction() as connection:
            settled = await self._store(connection, haul)
            await self._count(connection, settled, traffic)

    async def _fetch(self, wanted: Sequence[int], traffic: Traffic) -> Haul:
        """Ask for all at once; what cannot be asked now is deferred without blame."""
        haul = Haul()

        async def one(contract_id: int) -> None:
            try:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    outcome = await contract_items(self._esi, contract_id, traffic)
            except (UpstreamUnavailableError, TimeoutError) as error:
                haul.deferred.append(contract_id)
                if isinstance(error, UpstreamUnavailableError):
                    haul.deferred_for = max(haul.deferred_for, error.after)
            else:
                if isinstance(outcome, ItemsRead):
                    haul.read.append(outcome)
                else:
                    haul.missing.append(outcome)

        await asyncio.gather(*(one(contract_id) for contract_id in wanted))
        return haul

    async def _learn_types(self, engine: AsyncEngine, haul: Haul, traffic: Traffic) -> None:
        """Types that nobody knew are asked for, once; while upstream cannot say, their contracts are deferred."""
        async with engine.connect() as connection:
            unknown = await universe.unknown_types(connection, haul.type_ids())
        if not unknown:
            return
        try:
            async with asyncio.timeout(DEADLINE_SECONDS) as deadline:
                found = await describe_types(engine, self._esi, unknown, traffic)
        except (UpstreamUnavailableError, TimeoutError) as error:
            if isinstance(error, TimeoutError) and not deadline.expired():
                raise  # the database's
            haul.defer_holders_of(unknown)
            return
        async with engine.begin() as connection:
            await learn(connection, found)

    async def _store(self, connection: AsyncConnection, haul: Haul) -> Settled:
        facts = await item_rows.type_facts(connection, haul.type_ids())
        known = [entry for entry in haul.read if all(item.type_id in facts for item in entry.items)]
        nameless = [
            ItemsMissing(entry.contract_id, "a type is not known yet") for entry in haul.read if entry not in known
        ]
        return await self._items.store(
            connection,
            [(entry, summarise(entry.items, facts)) for entry in known],
            [*haul.missing, *nameless],
            haul.deferred,
            deferred_for=haul.deferred_for,
        )

    async def _count(self, connection: AsyncConnection, settled: Settled, traffic: Traffic) -> None:
        """Tell each run of its contracts, in one order for all; requests are put down to the run with the most."""
        busiest = max(settled.of_runs(), key=lambda run_id: settled.done[run_id], default=None)
        for run_id in sorted(settled.of_runs()):
            await self._runs.items_progressed(
                connection,
                run_id,
                done=settled.done[run_id],
                failed=settled.failed[run_id],
                requests=traffic.requests if run_id == busiest else 0,
                received=traffic.bytes if run_id == busiest else 0,
            )
