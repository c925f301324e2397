"""What is new goes before a backlog, and a backlog is never starved by it."""

import asyncio
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from common.events import Dataset, IngestRequested, ScheduleDue, Scope
from common.ids import new_id
from common.messaging.delivery import Delivery
from common.telemetry import continued
from ingestor.datasets import NothingToDoError, Stored
from ingestor.esi.client import Traffic
from ingestor.esi.governor import Governor, Share
from ingestor.esi.precedence import LONGEST_SECONDS, Precedence
from ingestor.handlers.ingest_requested import IngestRequestedHandler
from ingestor.handlers.schedule_due import ScheduleDueHandler
from ingestor.stores.runs import Run
from support.ingestion import NOON, REGION, Ingestion

STEP = 0.25
"""Seconds; a sum of these is exact."""


class Hands:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Onlooker:
    """A dataset that only looks whether it goes first."""

    name = Dataset.CONTRACTS

    def __init__(self, precedence: Precedence) -> None:
        self._precedence = precedence
        self.went_first = False

    async def read(self, run: Run, traffic: Traffic) -> None:
        del run, traffic
        self.went_first = self._precedence.is_given()
        raise NothingToDoError("it has seen enough")

    async def store(self, connection: AsyncConnection, run: Run, reading: None) -> Stored:
        raise NotImplementedError


@pytest.mark.parametrize(("dataset", "goes_first"), [(Dataset.CONTRACTS, True), (Dataset.BIDS, False)])
async def test_sweeps_go_before_a_backlog_and_no_other_command_does(
    offline: Ingestion, dataset: Dataset, *, goes_first: bool
) -> None:
    precedence = offline.esi.governor.precedence
    onlooker = Onlooker(precedence)
    carry_out = IngestRequestedHandler({dataset: onlooker}, offline.enrichment, offline.runs, precedence)
    scope = Scope(region_id=REGION) if goes_first else Scope()
    command = IngestRequested(dataset=dataset, scope=scope, run_id=new_id())

    await carry_out(Delivery(new_id(), command, continued(None, None), "ingestor", offline.engine))

    assert onlooker.went_first == goes_first
    assert not precedence.is_given()


async def test_the_slot_of_a_sweep_announces_it(offline: Ingestion) -> None:
    precedence = Precedence(lambda: None, Hands())
    slot = ScheduleDue(
        schedule_id="contracts:10000002",
        slot_at=NOON,
        action="ingest",
        run_id=new_id(),
        dataset=Dataset.CONTRACTS,
        scope=Scope(region_id=REGION),
    )

    schedule_due = ScheduleDueHandler({}, offline.runs, offline.outbox, precedence)
    await schedule_due(Delivery(new_id(), slot, continued(None, None), "ingestor", offline.engine))

    assert precedence.is_given()


async def test_a_backlog_stands_back_while_something_is_discovered_and_then_goes_on() -> None:
    governor = Governor(8)
    entered: list[Share] = []

    async def ask(share: Share) -> None:
        async with governor.admitted(share=share):
            entered.append(share)

    with governor.precedence.taken():
        backlog = [asyncio.create_task(ask(Share.BULK)) for _ in range(20)]
        await asyncio.sleep(0)
        await ask(Share.DISCOVERY)
        before = list(entered)

    await asyncio.gather(*backlog)
    assert before == [Share.DISCOVERY]
    assert entered.count(Share.BULK) == 20


async def test_a_backlog_goes_on_by_itself_when_what_was_expected_does_not_come() -> None:
    governor = Governor(8)
    governor.precedence.expect(0.02)
    given = governor.precedence.is_given()

    async with governor.admitted():
        assert given


@given(st.lists(st.sampled_from(["discover", "end", "expect", "nothing"]), min_size=20, max_size=200))
async def test_whatever_is_discovered_a_backlog_goes_on_for_half_of_the_time(events: list[str]) -> None:
    clock, stood_back = Hands(), 0.0
    precedence = Precedence(lambda: None, clock)
    with ExitStack() as discoveries:
        for event in events:
            if event == "discover":
                discoveries.enter_context(precedence.taken())
            elif event == "end":
                discoveries.close()
            elif event == "expect":
                precedence.expect()
            stood_back += STEP if precedence.is_given() else 0.0
            clock.now += STEP

    went_on = len(events) * STEP - stood_back
    assert stood_back <= went_on + LONGEST_SECONDS
