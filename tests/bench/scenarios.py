"""Cold load, unchanged re-sweep and churn of one region, each measured from the command to the end of its run."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final
from uuid import UUID

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer

from bench.figures import Figures
from bench.floor import copy_all, fetch_all
from bench.processes import Meter
from bench.world import LIST_TTL, REGION, World
from common.events import Dataset, IngestRequested, Scope, encode
from common.ids import new_id
from common.messaging.outbox import channel
from common.messaging.producing import create_producer
from common.tables.runs import TERMINAL_STATES

CHURN: Final = 0.05
PAGE_SIZE: Final = 1_000
SETTLED_SECONDS: Final = 11
"""PostgreSQL's sessions report what they counted once they were idle for ten seconds."""
LONGEST_START: Final = 60
LONGEST_DRAIN: Final = 120
LONGEST_WARMING: Final = 300
POLL_SECONDS: Final = 0.2

RUN = "SELECT state, fetched, items_wanted, items_done FROM runs WHERE run_id = $1"
QUIET = "SELECT NOT EXISTS (SELECT FROM outbox) AND NOT EXISTS (SELECT FROM runs WHERE finished_at IS NULL)"
CONSUMING = """
SELECT bool_and((consumer.value ->> 'partitions')::int > 0)
  FROM heartbeats, jsonb_each(progress -> 'consumers') AS consumer WHERE service = 'ingestor'
"""
WRITTEN = """
SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint FROM pg_stat_user_tables
 WHERE relname IN ('contracts', 'contract_items')
"""
NEW = """
SELECT contract_id, (SELECT count(*) FROM contract_items i WHERE i.contract_id = c.contract_id) AS items,
       items_state <> 'none' AS holds_items
  FROM contracts c WHERE listed_at > $1
"""


class Bench:
    """Measures on one world. The scenarios build on each other: cold, unchanged, churn."""

    def __init__(self, world: World, connection: Any, producer: AIOKafkaProducer, *, limit: float) -> None:
        self._world = world
        self._connection = connection
        self._producer = producer
        self._limit = limit
        self._rung = asyncio.Event()

    async def ready(self) -> None:
        """Wait until the ingestor holds its partitions and has carried out a first command."""
        await self._connection.add_listener(channel("ingestor"), lambda *_: self._rung.set())
        await self._send(IngestRequested(dataset=Dataset.NAMES, run_id=new_id()))
        try:
            async with asyncio.timeout(LONGEST_START):
                while not (await self._connection.fetchval(CONSUMING) and await self._is_quiet()):  # noqa: ASYNC110 - rows of others
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise RuntimeError(
                f"the ingestor does not consume:\n{self._world.freeport.log('ingestor')[-2000:]}"
            ) from None

    async def cold(self) -> Figures:
        """All of a market that nobody has read."""
        return await self._measured()

    async def unchanged(self) -> Figures:
        """The same market, in a new generation of the list."""
        self._world.esi.control("clock", advance=LIST_TTL + 1)
        return await self._measured()

    async def churn(self) -> Figures:
        """A generation later: one of twenty contracts is gone, and as many are new."""
        standing = self._world.esi.get(f"/_simulator/truth/{REGION}").content["live"]
        gone = standing[:: round(1 / CHURN)]
        self._world.esi.control("vanish", contract_ids=gone)
        self._world.esi.control("list", region_id=REGION, count=len(gone))
        self._world.esi.control("clock", advance=LIST_TTL + 1)
        return await self._measured()

    async def _measured(self) -> Figures:
        """One forced sweep of the region, then its floor once everything is quiet again."""
        pages = await self._settle()
        written, requested = await self._connection.fetchval(WRITTEN), self._requests()
        since = await self._connection.fetchval("SELECT clock_timestamp()")
        meter, started = Meter(self._world.processes), time.monotonic()
        run, listed = await self._finished(await self._sweep(), started + self._limit)
        seconds = time.monotonic() - started
        cpu, peak, requests = meter.cpu_seconds(), meter.peak_mb("ingestor"), self._requests() - requested
        published = await self._published(run["state"]) - started
        new = await self._connection.fetch(NEW, since)
        paths = [*_list_paths(pages), *(path for row in new if row["holds_items"] for path in _item_paths(row))]
        floor_http = await fetch_all(self._world.esi.url, paths)
        ids = [row["contract_id"] for row in new]
        floor_copy = await copy_all(self._world.freeport.database_url, self._world.floor_url, ids) if ids else 0.0
        await asyncio.sleep(max(0.0, started + published + SETTLED_SECONDS - time.monotonic()))
        return Figures(
            seconds=seconds,
            listed_seconds=listed - started,
            state=run["state"],
            contracts=run["fetched"],
            items_wanted=run["items_wanted"],
            items_done=run["items_done"],
            items=sum(row["items"] for row in new),
            upstream_requests=requests,
            rows_written=await self._connection.fetchval(WRITTEN) - written,
            peak_rss_mb=peak,
            cpu_seconds=cpu,
            floor_http_seconds=floor_http,
            floor_copy_seconds=floor_copy,
            published_seconds=published,
        )

    async def _settle(self) -> int:
        """Have upstream make all it is going to say, and the database do what it does in quiet hours.

        Making pages and items is the simulator's own work, which the real ESI does on other machines. Returns how many
        pages the list has.
        """
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(LONGEST_WARMING), raise_for_status=True) as session,
            session.post(f"{self._world.esi.url}/_simulator/warm", json={"region_ids": [REGION]}) as answer,
        ):
            await answer.read()
        await self._connection.execute("VACUUM ANALYZE")
        await self._connection.execute("CHECKPOINT")
        return int(self._world.esi.get(_list_paths(1)[0]).headers["x-pages"])

    async def _sweep(self) -> UUID:
        run_id = new_id()
        scope = Scope(region_id=REGION)
        await self._send(IngestRequested(dataset=Dataset.CONTRACTS, scope=scope, run_id=run_id, force=True))
        return run_id

    async def _send(self, command: IngestRequested) -> None:
        await self._producer.send_and_wait(command.topic.value, encode(command), key=command.key.encode())

    async def _finished(self, run_id: UUID, give_up: float) -> tuple[Any, float]:
        """The run when it has ended, or how far it has come by then; and the moment when its list was stored.

        Every transaction of the ingestor that tells of something rings, at its commit; so does the end of a run.
        """
        listed = math.inf
        while True:
            self._rung.clear()
            run = await self._connection.fetchrow(RUN, run_id)
            if run is not None and run["fetched"]:
                listed = min(listed, time.monotonic())
            if run is not None and (run["state"] in TERMINAL_STATES or time.monotonic() > give_up):
                return run, listed
            if time.monotonic() > give_up:
                raise TimeoutError("the ingestor has not even begun")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._rung.wait()

    async def _published(self, state: str) -> float:
        """The moment at which every event is on the wire and nothing is under way; at once for a run that was cut."""
        if state not in TERMINAL_STATES:
            self._world.freeport.kill("ingestor")
            return time.monotonic()
        give_up = time.monotonic() + LONGEST_DRAIN
        while not await self._is_quiet() and time.monotonic() < give_up:  # noqa: ASYNC110 - rows of others
            await asyncio.sleep(0.05)
        return time.monotonic()

    async def _is_quiet(self) -> bool:
        return bool(await self._connection.fetchval(QUIET))

    def _requests(self) -> int:
        total: int = self._world.esi.get("/_simulator/stats").content["total"]
        return total


@asynccontextmanager
async def benching(world: World, *, limit: float) -> AsyncIterator[Bench]:
    """A bench whose ingestor is ready to work; a scenario is cut off after `limit` seconds."""
    connection = await asyncpg.connect(world.freeport.database_url)
    producer = create_producer(world.kafka, service="bench")
    await producer.start()
    try:
        bench = Bench(world, connection, producer, limit=limit)
        await bench.ready()
        yield bench
    finally:
        await producer.stop()
        await connection.close()


def _list_paths(pages: int) -> list[str]:
    return [f"/contracts/public/{REGION}?page={number}" for number in range(1, pages + 1)]


def _item_paths(row: Any) -> list[str]:
    """One request for each page of what a contract holds."""
    path = f"/contracts/public/items/{row['contract_id']}"
    return [path, *(f"{path}?page={number}" for number in range(2, -(-row["items"] // PAGE_SIZE) + 1))]
