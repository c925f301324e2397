"""Three replicas at one address: what one hears of ESI's limits all keep, and errors never run out by our doing."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

import pytest

from common.settings import DatabaseSettings
from esi_simulator.ground import Ground, read_ground
from esi_simulator.main import build
from esi_simulator.settings import SimulatorSettings
from ingestor.esi.client import EsiClient, Traffic
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.governor import Governor, Pause
from ingestor.esi.limits import SharedLimits
from support.ingestion import REGION, settings
from support.simulated_esi import SimulatorInProcess, served
from support.stand_ins import eventually

REPLICAS = 3
AT_ONCE = 64
HAMMERS = 100
"""Tasks of a replica that ask without end: more than it may have under way."""
FAILURES_SEEN = 80
"""By all replicas together, over as many windows as it takes: more than the first of them may cost."""
WINDOW = 3
"""Seconds of ESI's error window, where a test waits for its end."""
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
ITEMS = "/contracts/public/items/1"


@dataclass
class Replica:
    """An ingestor's way to ESI."""

    esi: EsiClient
    answered: int = 0

    @property
    def governor(self) -> Governor:
        return self.esi.governor

    async def hammer(self, contract_ids: Iterator[int]) -> None:
        """Ask for items one after the other, whatever comes of it."""
        for contract_id in contract_ids:
            await self.ask(contract_id)

    async def ask(self, contract_id: int) -> None:
        try:
            answer = await self.esi.get(f"/contracts/public/items/{contract_id}", traffic=Traffic())
        except UpstreamUnavailableError:
            await asyncio.sleep(0.05)
        else:
            self.answered += answer.status == 200


@dataclass
class Address:
    """All that asks from one address, and what it asks."""

    url: str
    upstream: SimulatorInProcess
    database: DatabaseSettings
    contract_ids: Sequence[int]

    @asynccontextmanager
    async def replica(self, *, one_of: int = REPLICAS) -> AsyncIterator[Replica]:
        """The last of so many to come."""
        governor = Governor(AT_ONCE, down_seconds=(0.2,))
        limits = asyncio.create_task(SharedLimits(governor, self.database).run())
        try:
            wishes = settings(self.url, concurrency=AT_ONCE)
            async with EsiClient(wishes, governor, retry_seconds=(0.02, 0.05)) as esi:
                await eventually(lambda: governor.replicas == one_of)
                yield Replica(esi)
        finally:
            limits.cancel()
            await asyncio.gather(limits, return_exceptions=True)

    @asynccontextmanager
    async def replicas(self) -> AsyncIterator[list[Replica]]:
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self.replica(one_of=n)) for n in range(1, REPLICAS + 1)]

    @asynccontextmanager
    async def hammered(self, replicas: Sequence[Replica]) -> AsyncIterator[None]:
        """All of `replicas` ask for as much as they may while the block runs."""
        wanted = cycle(self.contract_ids)
        tasks = [asyncio.create_task(one.hammer(wanted)) for one in replicas for _ in range(HAMMERS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def begin_a_window(self) -> None:
        epoch = (await self.upstream.get("/_simulator/clock")).content["epoch"]
        await self.upstream.control("clock", advance=WINDOW - epoch % WINDOW)

    async def stats(self) -> Any:
        return (await self.upstream.get("/_simulator/stats")).content

    async def asked_for_items(self) -> int:
        """How often, whatever the answer was."""
        answered: dict[str, int] = (await self.stats())["requests"].get("items", {})
        return sum(answered.values())


@pytest.fixture(scope="module")
def ground() -> Ground:
    return read_ground()


@pytest.fixture
async def address(ground: Ground, database: DatabaseSettings) -> AsyncIterator[Address]:
    """An upstream with short windows."""
    wishes = SimulatorSettings(
        esi_sim_start=START, esi_sim_forge_contracts=150, esi_sim_hub_contracts=0, esi_sim_error_window=WINDOW
    )
    simulator = build(wishes, ground=ground)
    upstream = SimulatorInProcess(simulator)
    items = (await upstream.truth(REGION, "items"))["items"]
    async with served(simulator) as url:
        yield Address(url, upstream, database, [int(contract_id) for contract_id, held in items.items() if held])


async def test_between_a_420_and_its_reset_no_replica_asks_and_then_all_go_on(address: Address) -> None:
    async with address.replicas() as replicas, address.hammered(replicas):
        await eventually(lambda: all(one.answered for one in replicas))
        await address.begin_a_window()
        await address.upstream.control("errors", spend=100)
        await eventually(lambda: all(one.governor.paused() and not one.governor.under_way for one in replicas))
        under_way = (await address.stats())["while_limited"]["420"]
        before = [one.answered for one in replicas]

        await eventually(lambda: all(one.answered > known for one, known in zip(replicas, before, strict=True)))

        assert (await address.stats())["while_limited"]["420"] == under_way <= REPLICAS * AT_ONCE


async def test_a_replica_that_has_asked_for_nothing_yet_keeps_the_pause_that_another_one_met(address: Address) -> None:
    async with address.replica(one_of=1) as one, address.replica(one_of=2) as other:
        await address.upstream.control("clock", advance=1)
        await address.upstream.control("errors", spend=100)
        await one.ask(address.contract_ids[0])
        await eventually(lambda: other.governor.paused() is not None)
        async with address.replica() as late, address.hammered([one, other, late]):
            await asyncio.sleep(0.2)

            assert (await address.stats())["requests"] == {"items": {"420": 1}}


def test_one_refusal_of_many_requests_under_way_is_told_once() -> None:
    governor, told = Governor(AT_ONCE), list[Pause]()
    governor.on_pause = told.append

    for _ in range(AT_ONCE):
        governor.observe("/status", 420, {"X-Esi-Error-Limit-Reset": "30"})

    assert len(told) == 1


@pytest.mark.parametrize("status", [404, 502])
async def test_replicas_whose_every_request_fails_never_spend_the_last_error(address: Address, status: int) -> None:
    await address.upstream.control("faults", route="items", status=status, count=1_000_000)
    async with address.replicas() as replicas:
        await address.begin_a_window()
        async with address.hammered(replicas):
            left = [100]
            while min(left) == 100 or await address.asked_for_items() < FAILURES_SEEN:
                left.append((await address.upstream.control("errors"))["remain"])
                await asyncio.sleep(0.01)
        asked = (await address.stats())["requests"]["items"]

    assert asked.keys() == {str(status)}
    assert min(left) > 0


async def test_a_429_is_kept_by_all_until_it_says_that_tokens_return(address: Address) -> None:
    async with address.replicas() as replicas:
        await address.upstream.control("buckets", limit=400, window=2)
        while (await address.upstream.get(f"/contracts/public/items/{address.contract_ids[0]}")).status != 429:
            pass
        await replicas[0].ask(address.contract_ids[0])
        await eventually(lambda: all(one.governor.paused(ITEMS) for one in replicas))

        async with address.hammered(replicas):
            await eventually(lambda: any(one.answered for one in replicas))

        assert (await address.stats())["while_limited"]["429"] == 1
