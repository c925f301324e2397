"""Whatever upstream does, for many seeds: nothing that stands is hidden, and in the end all is as upstream has it.

`make test-storms` weathers 2,000 of them; the first of them is named by STORMS_FROM, their number by STORMS.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvloop

from common.database import asyncpg_connection, create_engine
from esi_simulator.ground import read_ground
from support.databases import Databases, settings_for
from support.storms import Skies, skies, storm

STORMS = int(os.environ.get("STORMS", "200"))
STORMS_FROM = int(os.environ.get("STORMS_FROM", "1"))
SIDE_BY_SIDE = 8
# Of so few rows, a tenth of the time of TRUNCATE.
EMPTIED = ";".join(
    f"DELETE FROM {table}"  # noqa: S608 - names of tables
    for table in (
        *("contract_items", "contracts", "coverage", "sweeps", "runs", "outbox", "inbox"),
        *("upstream_limits", "upstream_responses"),
    )
)


@pytest.fixture
def urls(databases: Databases) -> Iterator[list[str]]:
    with ExitStack() as stack:
        yield [stack.enter_context(databases.fresh("settled")) for _ in range(SIDE_BY_SIDE)]


@pytest.mark.timeout(max(300, 3 * STORMS))
def test_after_any_storm_the_market_is_as_upstream_has_it_and_nothing_was_hidden_on_the_way(urls: list[str]) -> None:
    uvloop.run(_weather_all(urls))


async def _weather_all(urls: list[str]) -> None:
    seeds = iter(range(STORMS_FROM, STORMS_FROM + STORMS))
    async with skies(read_ground()) as found, asyncio.TaskGroup() as lanes:
        for url in urls:
            lanes.create_task(_weather(found, url, seeds))


async def _weather(found: Skies, url: str, seeds: Iterator[int]) -> None:
    database = settings_for(url)
    engine = create_engine(database, service="test")
    try:
        for seed in seeds:
            async with engine.begin() as connection:
                await (await asyncpg_connection(connection)).execute(EMPTIED)
            async with storm(found, engine, database, seed) as one:
                await one.rage()
                await one.clear_up()
                await one.nothing_is_hidden()
                await one.is_as_upstream()
    finally:
        await engine.dispose()
