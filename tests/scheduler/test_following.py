"""Schedules that follow upstream, from a run's report to the slot."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common import migrations
from common.errors import AlreadyHandledError
from common.events import (
    Dataset,
    Event,
    RunAccepted,
    RunCounts,
    RunFinished,
    RunOutcome,
    RunProgressed,
    RunStarted,
    Scope,
    Topic,
    encode,
)
from common.ids import new_id
from common.messaging import topics
from common.messaging.consuming import Consumers, Subscription
from common.messaging.delivery import Delivery, handled
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings, KafkaSettings
from common.slots import Definition, Upstream
from common.tables import dead_letters, inbox, outbox, runs, schedule_slots, schedules
from common.telemetry import continued
from scheduler.clockwork import Clockwork
from scheduler.handlers.run_told import RunTold, run_told
from scheduler.stores import schedules as store
from support.wire import Message, produce

SECOND = timedelta(seconds=1)
HALF_HOUR = timedelta(minutes=30)
HERE, ELSEWHERE = Scope(region_id=1), Scope(region_id=2)
TIMING = Upstream(fallback=HALF_HOUR, floor=30 * SECOND, cap=timedelta(hours=1))


@pytest.fixture
async def fired(engine: AsyncEngine, ticking: Clockwork) -> datetime:
    """A region's schedule whose first slot fired at this instant."""
    await add(engine)
    await ticking.tick()
    ((_, _, decided_at),) = await ledger(engine)
    return decided_at


async def add(engine: AsyncEngine, timing: Upstream = TIMING, *, overdue: timedelta = timedelta()) -> None:
    definition = Definition(
        name="a test's",
        kind="upstream",
        every_seconds=int(timing.fallback.total_seconds()),
        min_seconds=int(timing.floor.total_seconds()),
        max_seconds=int(timing.cap.total_seconds()),
        dataset=Dataset.CONTRACTS,
        scope=HERE,
    )
    async with engine.begin() as connection:
        await store.add(connection, "contracts:1", definition, first=await store.now(connection) - overdue)


async def tell(
    engine: AsyncEngine,
    until: datetime | None,
    *,
    scope: Scope = HERE,
    dataset: Dataset = Dataset.CONTRACTS,
    state: RunOutcome | None = "succeeded",
) -> None:
    """A run of the region tells until when upstream has nothing newer; the message comes twice."""
    event = RunTold(run_id=new_id(), dataset=dataset, scope=scope, state=state, fresh_until=until)
    delivery = Delivery(new_id(), event, continued(None, None), "scheduler", engine)
    for _ in range(2):
        async with engine.connect() as connection:
            if await handled(connection, "scheduler", [delivery.id]):
                with pytest.raises(AlreadyHandledError):
                    await run_told(delivery)
                return
        await run_told(delivery)


async def next_slot(engine: AsyncEngine) -> datetime:
    async with engine.connect() as connection:
        slot: datetime = (await connection.execute(select(schedules.c.next_due_at))).scalar_one()
        return slot


async def ledger(engine: AsyncEngine) -> list[tuple[datetime, str, datetime]]:
    columns = (schedule_slots.c.slot_at, schedule_slots.c.fate, schedule_slots.c.decided_at)
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns).order_by(schedule_slots.c.slot_at))]


async def change(engine: AsyncEngine, **values: object) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(schedules).values(**values))


async def test_the_slot_after_one_that_fired_is_provisional_until_a_run_tells_an_instant(
    engine: AsyncEngine, fired: datetime
) -> None:
    provisional = await next_slot(engine)
    told = fired + timedelta(minutes=12, microseconds=345_678)
    await tell(engine, told)

    assert provisional == fired + HALF_HOUR
    assert await next_slot(engine) == told


@pytest.mark.parametrize("state", ["succeeded", "partial", "skipped", None])
async def test_a_report_moves_the_slot_earlier_or_later_whatever_the_run_came_to_if_it_did_not_fail(
    engine: AsyncEngine, fired: datetime, state: RunOutcome | None
) -> None:
    for minutes in (10, 50):
        await tell(engine, fired + timedelta(minutes=minutes), state=state)

        assert await next_slot(engine) == fired + timedelta(minutes=minutes)


async def test_what_is_told_of_others_or_by_a_failure_or_without_an_instant_moves_nothing(
    engine: AsyncEngine, fired: datetime
) -> None:
    soon = fired + timedelta(minutes=5)
    await tell(engine, soon, scope=ELSEWHERE)
    await tell(engine, soon, scope=Scope(), dataset=Dataset.PRICES)
    await tell(engine, soon, state="failed")
    await tell(engine, None)

    assert await next_slot(engine) == fired + HALF_HOUR


async def test_an_old_report_never_moves_the_slot_back(engine: AsyncEngine, fired: datetime) -> None:
    newest = fired + timedelta(minutes=40)
    await tell(engine, newest)
    for minutes in (39, 5, -5):
        await tell(engine, fired + timedelta(minutes=minutes))

    assert await next_slot(engine) == newest


async def test_a_report_that_comes_after_its_slot_fired_leaves_the_provisional_one(
    engine: AsyncEngine, fired: datetime
) -> None:
    await tell(engine, fired - SECOND)
    await tell(engine, fired)

    assert await next_slot(engine) == fired + HALF_HOUR


async def test_bounds_hold_whatever_is_told(engine: AsyncEngine, fired: datetime) -> None:
    await tell(engine, fired + SECOND)
    soonest = await next_slot(engine)
    await tell(engine, fired + timedelta(days=300))

    assert soonest == fired + TIMING.floor
    assert await next_slot(engine) == fired + TIMING.cap


async def test_after_an_outage_the_one_slot_that_came_fires_once_and_the_next_counts_from_then(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await add(engine, overdue=timedelta(hours=7, microseconds=1))

    assert await ticking.tick() == 1
    assert await ticking.tick() == 0

    ((slot_at, fate, decided_at),) = await ledger(engine)
    assert (fate, decided_at - slot_at >= timedelta(hours=7)) == ("fired", True)
    assert await next_slot(engine) == decided_at + HALF_HOUR
    async with engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(outbox)) == 1


async def test_a_slot_that_was_skipped_since_its_run_still_reads_comes_again_after_the_floor(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await add(engine, Upstream(fallback=HALF_HOUR, floor=SECOND, cap=HALF_HOUR))
    await ticking.tick()
    ((_, _, fired_at),) = await ledger(engine)
    told = fired_at + timedelta(microseconds=1)
    await tell(engine, told)
    await change(engine, next_due_at=told)

    await ticking.tick()

    _, (slot_at, fate, skipped_at) = await ledger(engine)
    assert (slot_at, fate) == (told, "skipped_overlap")
    assert await next_slot(engine) == skipped_at + SECOND


async def test_a_report_is_taken_in_with_its_inbox_row_or_not_at_all(
    engine: AsyncEngine, database: DatabaseSettings, fired: datetime
) -> None:
    """The scheduler dies between the report and the slot: it is taken in once, and another scheduler fires the slot."""
    await change(engine, min_seconds=1)
    soon = fired + SECOND
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE schedules ADD CONSTRAINT broken CHECK (fresh_until IS NULL)"))
    with pytest.raises(SQLAlchemyError):
        await tell(engine, soon)
    async with engine.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(inbox)) == 0
        assert await connection.scalar(select(schedules.c.next_due_at)) == fired + HALF_HOUR
        await connection.execute(text("ALTER TABLE schedules DROP CONSTRAINT broken"))
        done = {"state": "succeeded", "finished_at": func.now(), "dataset": "contracts", "source": "schedule"}
        run_id = await connection.scalar(select(schedule_slots.c.run_id))
        await connection.execute(insert(runs).values(run_id=run_id, scope={"region_id": 1}, **done))

    await tell(engine, soon)
    others = [asyncio.ensure_future(Clockwork(engine, Outbox("scheduler"), database).run()) for _ in range(2)]
    while len(await ledger(engine)) < 2:  # noqa: ASYNC110  # the database sets no event of ours
        await asyncio.sleep(0.02)
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)

    assert [(slot_at, fate) for slot_at, fate, _ in await ledger(engine)][1:] == [(soon, "fired")]


async def test_a_run_that_finishes_moves_the_slot_and_wakes_the_clockwork(
    engine: AsyncEngine, kafka: KafkaSettings, fired: datetime
) -> None:
    """Over the broker; what runs say besides is no dead letter."""
    await topics.create_missing(kafka)
    named: dict[str, Any] = {"run_id": new_id(), "dataset": Dataset.CONTRACTS, "scope": HERE}
    soon, later = fired + timedelta(seconds=20), fired + timedelta(minutes=50)
    said: list[Event] = [
        RunAccepted(**named),
        RunStarted(**named, attempt=1),
        RunProgressed(**named, counts=RunCounts(), fresh_until=soon),
        RunFinished(**named, state="succeeded", counts=RunCounts(), fresh_until=later),
    ]
    await produce(kafka, Topic.RUNS, [Message(encode(each), each.key.encode()) for each in said])
    consumers = Consumers([Subscription(RunTold, run_told)], engine=engine, outbox=Outbox("scheduler"), kafka=kafka)
    consuming = asyncio.ensure_future(consumers.run())
    while await next_slot(engine) != later:  # the database sets no event of ours
        assert not consuming.done()
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)  # cancelled while it still starts, FastStream leaves its clients open
    consuming.cancel()
    await asyncio.gather(consuming, return_exceptions=True)

    async with engine.connect() as connection:
        assert await connection.scalar(select(func.count()).select_from(dead_letters)) == 0


async def test_slots_are_announced_to_the_microsecond(engine: AsyncEngine, fired: datetime, ticking: Clockwork) -> None:
    slot = fired - timedelta(microseconds=1)
    await change(engine, next_due_at=slot, overlap="allow_all")
    await ticking.tick()

    async with engine.connect() as connection:
        payload = await connection.scalar(select(outbox.c.payload).order_by(outbox.c.id.desc()).limit(1))
    assert payload is not None
    assert slot.isoformat().replace("+00:00", "Z").encode() in payload


async def test_region_schedules_that_nobody_touched_become_ones_that_follow_upstream(engine: AsyncEngine) -> None:
    """Once, in the migration: what somebody has changed, and what he changes back, stays an interval."""
    revision = ScriptDirectory.from_config(migrations.config()).get_revision("0003")
    made = func.now() - timedelta(days=3, hours=1)
    offset = func.floor(func.extract("epoch", made)) % 1800
    changes: dict[int, dict[str, Any]] = {
        1: {},
        2: {"every_seconds": 601},
        3: {"paused": True},
        4: {"note": "mine"},
        5: {"name": "mine"},
    }
    async with engine.begin() as connection:
        for region, changed in changes.items():
            row = {
                "schedule_id": f"contracts:{region}",
                "name": f"Sweep of region {region}",
                "kind": "interval",
                "every_seconds": 1800,
                "offset_seconds": offset,
                "action": "ingest",
                "dataset": "contracts",
                "scope": {"region_id": region},
                "overlap": "skip",
                "created_at": made,
                "next_due_at": made,
            }
            await connection.execute(insert(schedules).values(**{**row, **changed}))
        await connection.execute(text(revision.module.FOLLOW_UPSTREAM))
        query = select(schedules.c.schedule_id, schedules.c.min_seconds, schedules.c.max_seconds)
        rows = (await connection.execute(query.where(schedules.c.kind == "upstream"))).all()

    assert [tuple(row) for row in rows] == [("contracts:1", 30, 3600)]
