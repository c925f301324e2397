"""`make bench-freshness`: how soon a new contract is on Kafka and in the API while a backlog of items is being read."""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer

from bench.backlog import Backlog
from bench.delays import by_name, steps, tables
from bench.ingest import LATENCIES, Console, prepare, until_stopped
from bench.processes import Meter
from bench.sightings import MILESTONES, Sighting, Watch, watching
from bench.stack import LIST_TTL, REGION, Stack, running_stack
from bench.world import running_server
from common.messaging.producing import create_producer

REPORT: Final = Path("build/bench/freshness.json")
LONGEST_START: Final = 90
LONGEST_WAIT: Final = 60
LOADED: Final = """
SELECT EXISTS (SELECT FROM coverage WHERE region_id = $1 AND complete_generation = generation)
   AND NOT EXISTS (SELECT FROM contracts WHERE region_id = $1 AND items_state = 'wanted')
"""


class Bench:
    """Lists contracts one after the other and follows each from the instant at which its page can be read."""

    def __init__(self, stack: Stack, watch: Watch, connection: Any) -> None:
        self._stack = stack
        self._watch = watch
        self._connection = connection
        self.seconds: list[dict[str, float]] = []
        self.spent: list[dict[str, float]] = []

    async def ready(self) -> None:
        """Wait until the region is loaded and the API is there."""
        try:
            async with asyncio.timeout(LONGEST_START):
                while not (await self._connection.fetchval(LOADED, REGION) and self._stack.freeport.ready()):  # noqa: ASYNC110 - rows of others
                    await asyncio.sleep(0.2)
        except TimeoutError:
            log = self._stack.freeport.log("ingestor")[-2000:]
            raise RuntimeError(f"the market is not loaded:\n{log}") from None

    async def follow(self, samples: int, say: Callable[[str], None]) -> None:
        """One contract in a generation of the list, at any moment of it."""
        dice = random.Random(1)  # noqa: S311 - no secret
        for number in range(1, samples + 1):
            await asyncio.sleep(dice.uniform(0, LIST_TTL))
            contract_id, readable = await asyncio.to_thread(self._stack.list_one)
            with self._watch.awaiting(contract_id) as sighting:
                await asyncio.sleep(max(0.0, readable - time.time()))
                async with asyncio.timeout(LONGEST_WAIT):
                    await self._watch.poll(sighting)
                    await sighting.complete.wait()
            await self._take_down(sighting, readable)
            say(f"{number}: " + ", ".join(f"{name} {delay:.3f}" for name, delay in self.seconds[-1].items()))

    async def _take_down(self, sighting: Sighting, readable: float) -> None:
        seen = sighting.seen
        self.seconds.append(
            {name: seen[key] - readable for name, key in (("event", "listed"), ("row", "row"), ("items", "items"))}
        )
        milestones = await self._connection.fetchrow(MILESTONES, sighting.contract_id)
        if milestones is not None:
            way = [("readable", readable), *milestones.items()]
            way += [(name, seen[name]) for name in ("listed written", "listed sent", "listed")]
            self.spent.append(steps(way))


async def measure(stack: Stack, *, backlog: int, samples: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures of one stack."""
    async with _connected(stack) as (watch, connection, another, producer):
        bench, work = Bench(stack, watch, connection), Backlog(another, producer, size=backlog)
        await bench.ready()
        if backlog:
            await work.begin()
        say("the region is loaded, the backlog stands")
        meter, began = Meter(stack.processes), time.monotonic()
        await _first_of(bench.follow(samples, say), watch.consume(), work.keep_up())
        seconds = time.monotonic() - began
    return {
        "samples": len(bench.seconds),
        "seconds": by_name(bench.seconds),
        "spent": by_name(bench.spent),
        "backlog_least": work.least,
        "backlog_read_per_second": round(work.wanted / seconds),
        "cores": {name: round(spent / seconds, 2) for name, spent in meter.cpu_seconds().items()},
    }


@asynccontextmanager
async def _connected(stack: Stack) -> AsyncIterator[tuple[Watch, Any, Any, AIOKafkaProducer]]:
    one, another = [await asyncpg.connect(stack.freeport.database_url) for _ in range(2)]
    producer = create_producer(stack.kafka, service="bench")
    await producer.start()
    try:
        async with watching(stack.kafka, stack.api_url) as watch:
            yield watch, one, another, producer
    finally:
        await producer.stop()
        await one.close()
        await another.close()


async def _first_of(*works: Any) -> None:
    """Run until the first of them ends, and raise what it raised; the others go on for ever."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    asked = _arguments()
    console = Console()
    prepare(console)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="freeport-bench-") as folder, running_server(Path(folder)) as server:
        for latency in asked.latency:
            console.say(f"a backlog of {asked.backlog:,} contracts, upstream latency {latency}")
            place = Path(folder) / latency
            with running_stack(place, server, backlog=asked.backlog, latency=LATENCIES[latency]) as stack:
                figures = measure(stack, backlog=asked.backlog, samples=asked.samples, say=console.say)
                found[latency] = uvloop.run(figures)
            REPORT.parent.mkdir(parents=True, exist_ok=True)
            REPORT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"\n{tables(found)}\n\nwritten to {REPORT}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.freshness", description=__doc__)
    parser.add_argument("--samples", type=int, default=60, help="contracts that are listed and followed")
    parser.add_argument("--backlog", type=int, default=10_000, help="contracts whose items wait all the time")
    parser.add_argument("--latency", choices=LATENCIES, nargs="*", default=list(LATENCIES), help="of upstream")
    return parser.parse_args()


if __name__ == "__main__":
    until_stopped(main)
