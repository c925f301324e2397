"""Timers: work that was put off falls due through the clockwork, whoever dies meanwhile."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common.events import Dataset, ScheduleDue
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from common.tables import timers
from ingestor.stores.timers import TOGETHER, put_off
from scheduler import clockwork
from scheduler.clockwork import Clockwork
from scheduler.stores import timers as store
from support.schedules import Schedules

SOON = timedelta(milliseconds=300)


async def come(engine: AsyncEngine, *datasets: str, ago: timedelta = timedelta(seconds=1)) -> None:
    """Timers that are due."""
    async with engine.begin() as connection:
        moment = (await connection.execute(select(func.now()))).scalar_one()
        await connection.execute(insert(timers), [{"dataset": name, "due_at": moment - ago} for name in datasets])


async def left(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(timers))).scalar_one()


async def told(engine: AsyncEngine) -> Sequence[ScheduleDue]:
    return await Schedules(engine).sent()


async def test_a_timer_that_has_come_is_told_once_and_is_gone(engine: AsyncEngine, ticking: Clockwork) -> None:
    await come(engine, "bids")

    assert [await ticking.remind(), await ticking.remind()] == [1, 0]

    (event,) = await told(engine)
    assert (event.schedule_id, event.action, event.dataset, event.run_id) == (
        "deferred:bids",
        "reconcile",
        Dataset.BIDS,
        None,
    )
    assert await left(engine) == 0


async def test_a_thousand_timers_of_a_dataset_are_one_look(engine: AsyncEngine, ticking: Clockwork) -> None:
    await come(engine, *["items"] * 999, "names")

    assert await ticking.remind() == 2
    assert {event.dataset for event in await told(engine)} == {Dataset.ITEMS, Dataset.NAMES}
    assert await left(engine) == 0


async def test_what_a_replica_had_in_hand_when_it_died_is_another_s_to_fire(
    engine: AsyncEngine, acting: AsyncEngine, ticking: Clockwork
) -> None:
    await come(engine, "outcomes")
    async with acting.connect() as dying:
        assert list(await store.take(dying)) == ["outcomes"]

        assert await ticking.remind() == 0
        assert await ticking.turn() == clockwork.HELD_SECONDS

    assert await ticking.remind() == 1
    assert [event.dataset for event in await told(engine)] == [Dataset.OUTCOMES]


async def test_a_timer_ends_and_its_event_is_recorded_together_or_not_at_all(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await come(engine, "bids")
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE outbox ADD CONSTRAINT broken CHECK (false)"))

    with pytest.raises(Exception, match="broken"):
        await ticking.remind()

    assert await left(engine) == 1
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE outbox DROP CONSTRAINT broken"))
    assert await ticking.remind() == 1


async def test_five_clockworks_at_once_tell_each_timer_once(engine: AsyncEngine, ticking: Clockwork) -> None:
    datasets = [each.value for each in Dataset]
    await come(engine, *datasets)

    assert sum(await asyncio.gather(*(ticking.remind() for _ in range(5)))) == len(datasets)
    assert sorted(event.dataset or "" for event in await told(engine)) == sorted(datasets)


async def test_a_timer_of_a_dataset_that_nobody_knows_keeps_no_other_from_firing(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await come(engine, "weather", "bids")

    assert await ticking.remind() == 1
    assert await left(engine) == 0


async def test_a_sleeping_clockwork_is_woken_and_fires_a_timer_at_its_instant_and_not_before(
    engine: AsyncEngine, database: DatabaseSettings
) -> None:
    running = asyncio.ensure_future(Clockwork(engine, Outbox("scheduler"), database).run())
    await asyncio.sleep(0.3)
    async with engine.begin() as connection:
        set_at = await connection.scalar(select(func.clock_timestamp()))
        await put_off(connection, Dataset.PRICES, [SOON])

    async with asyncio.timeout(clockwork.LONGEST_SLEEP_SECONDS - 1):
        while not await told(engine):  # noqa: ASYNC110  # the database sets no event of ours
            await asyncio.sleep(0.01)
    async with engine.connect() as connection:
        fired_at = await connection.scalar(text("SELECT event_time FROM outbox"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    (event,) = await told(engine)
    assert set_at is not None
    assert SOON <= event.slot_at - set_at <= SOON + TOGETHER + timedelta(milliseconds=100)
    assert timedelta() <= fired_at - event.slot_at < timedelta(seconds=1)
