"""Three ingestors and an upstream in a storm, many times over: each storm is told by its seed."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import uvicorn
from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, IngestRequested, ItemsWanted, Scope
from common.ids import new_id
from common.settings import DatabaseSettings
from esi_simulator.app import Simulator
from esi_simulator.ground import Ground
from esi_simulator.main import build
from esi_simulator.settings import SimulatorSettings
from ingestor.esi.client import EsiClient
from ingestor.esi.governor import Governor
from ingestor.esi.limits import SharedLimits
from support.ingestion import REGION, Ingestion, settings
from support.simulated_esi import SimulatorInProcess
from support.stand_ins import free_port

REPLICAS = 3
STEPS = 3
CHUNK = 8
HOUR = 3600
TIMEOUT_SECONDS = 0.6
WEATHER = {"rate": 0.12, "stall": 1.0, "downtime": 0.3, "pause": 1}
# In order of ids, as everybody locks them: this must be nobody's deadlock.
WANT_AGAIN = """
UPDATE contracts c SET items_state = 'wanted'
  FROM (SELECT contract_id FROM contracts WHERE items_state = 'failed' ORDER BY contract_id FOR UPDATE) f
 WHERE c.contract_id = f.contract_id
"""
START = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Skies:
    """Any number of simulators behind one server, each under a path of its own."""

    def __init__(self, ground: Ground) -> None:
        self.url = ""
        self._ground = ground
        self._simulators: dict[str, Simulator] = {}

    def raise_up(self, seed: int) -> Simulator:
        """A simulator with a small market in many pages, whose errors are forgiven each second."""
        wishes = SimulatorSettings(
            esi_sim_seed=seed,
            esi_sim_start=START,
            esi_sim_forge_contracts=28,
            esi_sim_hub_contracts=0,
            esi_sim_recorded=False,
            esi_sim_page_size=6,
            esi_sim_list_ttl=60,
            esi_sim_error_window=1,
        )
        self._simulators[str(seed)] = build(wishes, ground=self._ground)
        return self._simulators[str(seed)]

    def clear_away(self, seed: int) -> None:
        del self._simulators[str(seed)]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        _, seed, *parts = scope["path"].split("/")
        path = "/" + "/".join(parts)
        await self._simulators[seed]({**scope, "path": path, "raw_path": path.encode()}, receive, send)


@asynccontextmanager
async def skies(ground: Ground) -> AsyncIterator[Skies]:
    found, port = Skies(ground), free_port()
    found.url = f"http://127.0.0.1:{port}"
    server = uvicorn.Server(
        uvicorn.Config(found, port=port, lifespan="off", log_level="critical", access_log=False, timeout_keep_alive=75)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it sets no event
        await asyncio.sleep(0.01)
    try:
        yield found
    finally:
        server.should_exit = True
        server.force_exit = True
        await asyncio.wait([serving], timeout=10)


@dataclass
class Storm:
    """One seed's weather, market and replicas, on an empty database."""

    seed: int
    simulator: Simulator
    esi: SimulatorInProcess
    replicas: Sequence[Ingestion]
    dice: random.Random

    async def rage(self) -> None:
        """Some steps of time; in each, one replica sweeps while the others read items, in any order and twice."""
        await self.esi.control("storm", seed=self.seed, **WEATHER)
        for _ in range(STEPS):
            await self.esi.control("clock", advance=self.dice.randint(61, 2 * HOUR))
            await asyncio.gather(*(self._work(replica) for replica in self._shuffled()))
            await self.nothing_is_hidden()

    async def clear_up(self) -> None:
        """The storm ends; time passes until nothing is left to do."""
        await self.esi.control("faults", clear=True)
        one = self.replicas[0]
        for _ in range(12):
            await self.esi.control("clock", advance=61)
            await asyncio.sleep(1.02)
            await one.execute("UPDATE upstream_limits SET paused_until = NULL")
            swept = await self._sweep(one)
            await self._items(one, await self._wanted(one), times=1)
            if (await one.run(swept)).state == "succeeded" and await self.settled():
                return

    async def nothing_is_hidden(self) -> None:
        """What is delisted is truly gone."""
        rows = await self.replicas[0].rows("SELECT contract_id FROM contracts WHERE delisted_at IS NOT NULL")
        hidden = {row.contract_id for row in rows} & set(self.simulator.world.ids(REGION))
        assert not hidden, f"seed {self.seed}: {sorted(hidden)} stand and are taken for gone"

    async def settled(self) -> bool:
        """Whether nothing of what stands is uncertain or unread."""
        left = await self.replicas[0].value(
            "SELECT count(*) FROM contracts"
            " WHERE delisted_at IS NULL AND (items_state = 'wanted' OR missing_since IS NOT NULL)"
        )
        return bool(left == 0)

    async def is_as_upstream(self) -> None:
        """Hold the database to the simulator: contracts, their terms, their items."""
        truth = await self.esi.truth(REGION, "items")
        stored = {row.contract_id: row for row in await self.replicas[0].rows("SELECT * FROM contracts")}
        live = {number for number, row in stored.items() if row.delisted_at is None}
        listed = {row["contract_id"]: row for row in truth["listed"]}
        assert live == listed.keys(), f"seed {self.seed}: {sorted(live ^ listed.keys())} differ"
        for number, row in listed.items():
            terms = {name: getattr(stored[number], name) for name in ("price", "buyout", "collateral", "title")}
            assert terms == {name: row.get(name) for name in terms}, f"seed {self.seed}: terms of {number}"
        await self._items_are(truth["items"], live)

    async def _items_are(self, truth: Mapping[str, Any], live: set[int]) -> None:
        rows = await self.replicas[0].rows("SELECT contract_id, record_id, type_id, quantity FROM contract_items")
        stored = {tuple(row) for row in rows if row.contract_id in live}
        known = {
            (int(number), item["record_id"], item["type_id"], item["quantity"])
            for number, items in truth.items()
            for item in items or ()
            if int(number) in live
        }
        assert stored == known, f"seed {self.seed}: {sorted(stored ^ known)[:3]} of items differ"

    async def _work(self, replica: Ingestion) -> None:
        if self.dice.random() < 0.5:
            await self._sweep(replica)
        wanted = await self._wanted(replica)
        if wanted:
            await self._items(replica, self.dice.sample(wanted, min(CHUNK, len(wanted))), times=self._times())

    async def _sweep(self, replica: Ingestion) -> UUID:
        wish = IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=REGION), run_id=new_id(), force=True)
        await replica.deliver(wish, times=self._times())
        assert wish.run_id is not None
        return wish.run_id

    async def _items(self, replica: Ingestion, wanted: Sequence[int], *, times: int) -> None:
        if wanted:
            await replica.deliver(ItemsWanted(region_id=REGION, contract_ids=tuple(wanted)), times=times)

    async def _wanted(self, replica: Ingestion) -> list[int]:
        rows = await replica.rows("SELECT contract_id FROM contracts WHERE items_state IN ('wanted', 'failed')")
        await replica.execute(WANT_AGAIN)
        return [row.contract_id for row in rows]

    def _times(self) -> int:
        """Some messages come twice."""
        return self.dice.choice((1, 1, 2))

    def _shuffled(self) -> list[Ingestion]:
        return self.dice.sample(list(self.replicas), len(self.replicas))


@asynccontextmanager
async def storm(skies: Skies, engine: AsyncEngine, database: DatabaseSettings, seed: int) -> AsyncIterator[Storm]:
    """Three replicas that share a database and, through it, what they know of upstream's limits."""
    simulator = skies.raise_up(seed)
    async with AsyncExitStack() as stack:
        replicas = []
        for _ in range(REPLICAS):
            governor = Governor(6, down_seconds=(0.3,))
            limits = asyncio.create_task(SharedLimits(governor, database).run())
            stack.push_async_callback(_ended, limits)
            wishes = settings(f"{skies.url}/{seed}", timeout=TIMEOUT_SECONDS)
            esi = await stack.enter_async_context(EsiClient(wishes, governor, retry_seconds=(0.02, 0.05)))
            replicas.append(Ingestion(engine, esi))
        yield Storm(seed, simulator, SimulatorInProcess(simulator), replicas, random.Random(seed))  # noqa: S311 - luck that can be had again
    skies.clear_away(seed)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
