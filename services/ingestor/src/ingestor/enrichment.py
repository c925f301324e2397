"""What contracts hold: read many at once, summarise, store in one transaction."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ingestor.datasets.universe import describe_types, learn
from ingestor.domain.summary import TypeFacts
from ingestor.esi.client import EsiClient, Traffic
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.governor import Share
from ingestor.esi.items import ItemsMissing, ItemsRead, contract_items
from ingestor.stores import items as item_rows
from ingestor.stores.items import ItemStore, Settled
from ingestor.stores.runs import RunStore

DEADLINE_SECONDS = 25
"""For a chunk: a batch of them must be through long before the broker takes its consumer for dead (five minutes)."""
AWAY_SECONDS = 5
MOST_FACTS = 4_000
"""Types that facts are kept of while a market is loaded; there are 27,000, and half a kilobyte is kept of each."""
FACTS_SECONDS = 600.0
"""What is known of types is looked up again after this long; upstream renames some of them, on some days."""


@dataclass(slots=True)
class Haul:
    """What a chunk brought."""

    read: list[ItemsRead] = field(default_factory=list)
    missing: list[ItemsMissing] = field(default_factory=list)
    deferred: list[int] = field(default_factory=list)
    deferred_for: timedelta = timedelta(seconds=AWAY_SECONDS)
    facts: dict[int, TypeFacts] = field(default_factory=dict)
    """What is known of the types; of more than these."""

    def add(self, outcome: ItemsRead | ItemsMissing) -> None:
        if isinstance(outcome, ItemsRead):
            self.read.append(outcome)
        else:
            self.missing.append(outcome)

    def type_ids(self) -> set[int]:
        return {item.type_id for entry in self.read for item in entry.items}

    def defer_holders_of(self, type_ids: Sequence[int]) -> None:
        """Put off the contracts that hold any of `type_ids`, as if they had not been read."""
        held = {entry.contract_id for entry in self.read if any(item.type_id in type_ids for item in entry.items)}
        self.deferred += sorted(held)
        self.read = [entry for entry in self.read if entry.contract_id not in held]


class Enrichment:
    """Reads what contracts hold, and what they are by it."""

    def __init__(self, engine: AsyncEngine, esi: EsiClient, items: ItemStore, runs: RunStore) -> None:
        self._engine = engine
        self._esi = esi
        self._items = items
        self._runs = runs
        self._facts: dict[int, TypeFacts] = {}
        self._facts_until = 0.0

    async def read(self, contract_ids: Sequence[int], traffic: Traffic, *, share: Share = Share.BULK) -> Haul:
        """What upstream says of those of `contract_ids` that are still wanted. Holds no transaction."""
        async with self._engine.connect() as connection:
            wanted = await item_rows.wanted_of(connection, contract_ids)
        haul = await self._fetch(wanted, traffic, share)
        haul.facts = self._at_hand()
        await self._learn_types(haul, traffic, share)
        return haul

    async def store(self, connection: AsyncConnection, haul: Haul, traffic: Traffic) -> None:
        """Store what was read, put off what was not, and tell the runs. Doing it twice changes nothing."""
        settled = await self._store(connection, haul)
        await self._count(connection, settled, traffic)

    async def _fetch(self, wanted: Sequence[int], traffic: Traffic, share: Share) -> Haul:
        """Ask for all at once; what cannot be asked now, or takes too long, is deferred without blame."""
        haul = Haul()

        async def one(contract_id: int) -> None:
            try:
                outcome = await contract_items(self._esi, contract_id, traffic, share)
            except UpstreamUnavailableError as error:
                haul.deferred.append(contract_id)
                haul.deferred_for = max(haul.deferred_for, error.after)
            else:
                haul.add(outcome)

        asking = {asyncio.ensure_future(one(contract_id)): contract_id for contract_id in wanted}
        try:
            if asking:
                await asyncio.wait(asking, timeout=DEADLINE_SECONDS)
        finally:
            late = [task for task in asking if not task.done()]
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for task, contract_id in asking.items():
            if task.cancelled():
                haul.deferred.append(contract_id)
            else:
                task.result()
        return haul

    async def _learn_types(self, haul: Haul, traffic: Traffic, share: Share) -> None:
        """Types that nobody knew are asked for, once; while upstream cannot say, their contracts are deferred."""
        unknown = await self._unknown(haul.facts, haul.type_ids())
        if not unknown:
            return
        try:
            async with asyncio.timeout(DEADLINE_SECONDS) as deadline:
                found = await describe_types(self._engine, self._esi, unknown, traffic, share)
        except (UpstreamUnavailableError, TimeoutError) as error:
            if isinstance(error, TimeoutError) and not deadline.expired():
                raise  # the database's
            haul.defer_holders_of(unknown)
            return
        async with self._engine.begin() as connection:
            await learn(connection, found)
        await self._unknown(haul.facts, set(unknown))

    def _at_hand(self) -> dict[int, TypeFacts]:
        """What is known of types, for a chunk to add to. It keeps that to its end, also if others begin anew."""
        if time.monotonic() > self._facts_until or len(self._facts) > MOST_FACTS:
            self._facts, self._facts_until = {}, time.monotonic() + FACTS_SECONDS
        return self._facts

    async def _unknown(self, facts: dict[int, TypeFacts], type_ids: set[int]) -> list[int]:
        """Those of `type_ids` that nobody has described; `facts` tell of the others afterwards."""
        unseen = type_ids - facts.keys()
        if unseen:
            async with self._engine.connect() as connection:
                facts.update(await item_rows.facts_of(connection, unseen))
        return sorted(unseen - facts.keys())

    async def _store(self, connection: AsyncConnection, haul: Haul) -> Settled:
        known = await item_rows.described(connection, haul.read, haul.facts)
        found = {of.entry.contract_id for of in known}
        nameless = [
            ItemsMissing(entry.contract_id, "a type is not known yet")
            for entry in haul.read
            if entry.contract_id not in found
        ]
        return await self._items.store(
            connection,
            known,
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
