import asyncio
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common.events import Dataset, ScheduleDue, Scope, Topic
from common.ids import new_id
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from common.slots import Definition, Interval, Overlap, first_now
from common.tables import outbox, runs, schedule_slots, schedules
from scheduler import clockwork, defaults
from scheduler.clockwork import Clockwork
from scheduler.domain.plan import SLOTS_AT_ONCE
from scheduler.settings import SchedulerSettings
from scheduler.stores import claiming
from scheduler.stores import schedules as store

SECOND = timedelta(seconds=1)


async def add(
    engine: AsyncEngine,
    schedule_id: str = "contracts:1",
    *,
    every: timedelta = timedelta(hours=1),
    overdue: timedelta = timedelta(0),
    overlap: Overlap = "skip",
) -> Interval:
    """A schedule of sweeps whose oldest slot came `overdue` ago, on the database's clock."""
    async with engine.begin() as connection:
        moment = await store.now(connection)
        interval = first_now(every, moment - overdue)
        definition = Definition(
            name="a test's",
            kind="interval",
            every_seconds=int(every.total_seconds()),
            offset_seconds=int(interval.offset.total_seconds()),
            overlap=overlap,
            dataset=Dataset.CONTRACTS,
            scope=Scope(region_id=1),
        )
        await store.add(connection, schedule_id, definition, first=(moment - overdue).replace(microsecond=0))
        return interval


async def ledger(engine: AsyncEngine, schedule_id: str | None = None) -> list[Any]:
    query = select(schedule_slots).order_by(schedule_slots.c.schedule_id, schedule_slots.c.slot_at)
    if schedule_id is not None:
        query = query.where(schedule_slots.c.schedule_id == schedule_id)
    async with engine.connect() as connection:
        return list(await connection.execute(query))


async def decided_slots(engine: AsyncEngine, count: int, *, of: str | None = None) -> None:
    """Wait until the ledger has that many lines."""
    while len(await ledger(engine, of)) < count:  # noqa: ASYNC110  # the database sets no event of ours
        await asyncio.sleep(0.02)


async def sent(engine: AsyncEngine) -> list[ScheduleDue]:
    async with engine.connect() as connection:
        payloads = await connection.scalars(select(outbox.c.payload).order_by(outbox.c.id))
        return [msgspec.json.decode(payload, type=ScheduleDue) for payload in payloads]


async def next_due(engine: AsyncEngine, schedule_id: str) -> datetime:
    async with engine.connect() as connection:
        query = select(schedules.c.next_due_at).where(schedules.c.schedule_id == schedule_id)
        due: datetime = (await connection.execute(query)).scalar_one()
        return due


async def change(engine: AsyncEngine, schedule_id: str, **values: object) -> None:
    async with engine.begin() as connection:
        await connection.execute(update(schedules).where(schedules.c.schedule_id == schedule_id).values(**values))


async def side_by_side(clockworks: Iterable[Clockwork], seconds: float) -> None:
    running = [asyncio.ensure_future(each.run()) for each in clockworks]
    await asyncio.sleep(seconds)
    assert not any(task.done() for task in running)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def is_without_gaps(slots: list[datetime], every: timedelta) -> bool:
    return all(later - earlier == every for earlier, later in pairwise(slots))


async def test_a_slot_that_has_come_has_one_line_one_event_and_the_run_that_it_asks_for(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await add(engine)

    assert await ticking.tick() == 1
    assert await ticking.tick() == 0

    (slot,) = await ledger(engine)
    (event,) = await sent(engine)
    assert (event.schedule_id, event.slot_at, event.run_id) == (slot.schedule_id, slot.slot_at, slot.run_id)
    assert (event.action, event.dataset, event.scope) == ("ingest", Dataset.CONTRACTS, Scope(region_id=1))
    assert slot.fate == "fired"
    assert slot.run_id is not None
    assert await next_due(engine, "contracts:1") == slot.slot_at + timedelta(hours=1)


async def test_three_clockworks_side_by_side_decide_each_slot_once_and_send_one_event_for_it(
    engine: AsyncEngine, database: DatabaseSettings
) -> None:
    for number in range(5):
        await add(engine, f"contracts:{number}", every=SECOND, overlap="allow_all")

    await side_by_side([Clockwork(engine, Outbox("scheduler"), database) for _ in range(3)], 3.5)

    decided, events = await ledger(engine), await sent(engine)
    fired = [slot for slot in decided if slot.fate == "fired"]
    assert len(fired) >= 15
    assert sorted((each.schedule_id, each.slot_at) for each in events) == [
        (slot.schedule_id, slot.slot_at) for slot in fired
    ]
    for number in range(5):
        slots = await ledger(engine, f"contracts:{number}")
        assert is_without_gaps([slot.slot_at for slot in slots], SECOND)


async def test_two_processes_against_one_database_decide_each_slot_once(engine: AsyncEngine, database_url: str) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",  # what is sent stays in the outbox, to be counted
        "REGION_IDS": "1,2",
        "SWEEP_INTERVAL": "3600",
        "RECONCILE_INTERVAL": "1",
    }
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "scheduler", env=environment, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    await decided_slots(engine, 4, of="reconcile")
    for process in started:
        process.terminate()
    for process in started:
        await process.communicate()

    assert [process.returncode for process in started] == [0, 0]
    slots, events = await ledger(engine), await sent(engine)
    assert sorted((each.schedule_id, each.slot_at) for each in events) == [
        (slot.schedule_id, slot.slot_at) for slot in slots if slot.fate == "fired"
    ]
    assert is_without_gaps([slot.slot_at for slot in slots if slot.schedule_id == "reconcile"], SECOND)
    assert {slot.schedule_id for slot in slots} == {"contracts:1", "contracts:2", "prices:all", "reconcile"}


async def test_after_an_outage_only_the_newest_slot_fires_and_the_others_are_on_record(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    interval = await add(engine, overdue=timedelta(hours=5, minutes=30))

    await ticking.tick()

    slots = await ledger(engine)
    assert [slot.fate for slot in slots] == [*["skipped_catchup"] * 5, "fired"]
    assert is_without_gaps([slot.slot_at for slot in slots], interval.every)
    assert [event.slot_at for event in await sent(engine)] == [slots[-1].slot_at]


async def test_more_missed_slots_than_one_transaction_takes_are_all_decided_and_the_newest_fires(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    missed = SLOTS_AT_ONCE * 2 + 10
    interval = await add(engine, every=timedelta(minutes=1), overdue=timedelta(minutes=missed))

    rounds = 0
    while await ticking.tick():
        rounds += 1

    slots = await ledger(engine)
    assert rounds == 3
    assert len(slots) == missed + 1
    assert is_without_gaps([slot.slot_at for slot in slots], interval.every)
    assert [slot.fate for slot in slots] == [*["skipped_catchup"] * missed, "fired"]


@pytest.mark.parametrize(
    ("state", "listed", "fate"),
    [
        (None, False, "skipped_overlap"),
        ("queued", False, "skipped_overlap"),
        ("running", False, "skipped_overlap"),
        ("running", True, "fired"),
        ("succeeded", True, "fired"),
        ("failed", False, "fired"),
    ],
)
async def test_a_slot_is_skipped_while_the_last_run_still_reads_its_list(
    engine: AsyncEngine, ticking: Clockwork, state: str | None, *, listed: bool, fate: str
) -> None:
    interval = await add(engine)
    await ticking.tick()
    (first,) = await ledger(engine)
    if state is not None:
        await _add_run(engine, first.run_id, state=state, listed=listed)
    await _turn_back(engine, interval)

    await ticking.tick()

    _, second = await ledger(engine)
    assert second.fate == fate
    assert len(await sent(engine)) == (2 if fate == "fired" else 1)


async def test_the_line_the_event_and_the_next_instant_are_recorded_together_or_not_at_all(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await add(engine, overdue=timedelta(hours=2))
    due = await next_due(engine, "contracts:1")
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE outbox ADD CONSTRAINT broken CHECK (false)"))

    with pytest.raises(Exception, match="broken"):
        await ticking.tick()

    assert await ledger(engine) == []
    assert await next_due(engine, "contracts:1") == due

    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE outbox DROP CONSTRAINT broken"))
    await ticking.tick()
    assert len(await ledger(engine)) == 3
    assert len(await sent(engine)) == 1


async def test_a_clockwork_goes_on_when_its_sessions_are_killed(
    engine: AsyncEngine, database: DatabaseSettings
) -> None:
    await add(engine, every=SECOND, overlap="allow_all")
    running = asyncio.ensure_future(Clockwork(engine, Outbox("scheduler"), database).run())
    await decided_slots(engine, 2)

    with suppress(SQLAlchemyError):
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid()"
                )
            )
    await decided_slots(engine, 5)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    slots = await ledger(engine)
    assert is_without_gaps([slot.slot_at for slot in slots], SECOND)
    assert len(await sent(engine)) == sum(slot.fate == "fired" for slot in slots)


async def test_a_schedule_that_is_added_wakes_a_sleeping_clockwork(
    engine: AsyncEngine, database: DatabaseSettings
) -> None:
    running = asyncio.ensure_future(Clockwork(engine, Outbox("scheduler"), database).run())
    await asyncio.sleep(0.3)

    async with asyncio.timeout(30):  # twenty of its longest sleeps take a hundred seconds
        for number in range(20):
            await add(engine, f"contracts:{number}")
            await decided_slots(engine, number + 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert len(await sent(engine)) == 20


async def test_an_interval_changed_by_an_operator_stops_no_other_schedule(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await add(engine, "contracts:1")
    await add(engine, "contracts:2")
    await change(engine, "contracts:1", every_seconds=86_400, offset_seconds=-10_000_000)

    await ticking.tick()

    assert await ticking.tick() == 0
    assert [slot.schedule_id for slot in await ledger(engine)] == ["contracts:2"]
    async with engine.connect() as connection:
        assert await next_due(engine, "contracts:1") > await store.now(connection)


async def test_a_schedule_set_back_to_slots_that_were_decided_decides_only_new_ones(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await add(engine, overdue=timedelta(hours=3))
    await ticking.tick()
    before = await ledger(engine)
    await change(engine, "contracts:1", next_due_at=before[0].slot_at)

    await ticking.tick()

    assert await ticking.tick() == 0
    assert await ledger(engine) == before
    assert len(await sent(engine)) == 1


async def test_a_schedule_that_makes_no_sense_is_paused_with_a_note_and_the_others_go_on(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await add(engine, "contracts:1")
    await add(engine, "contracts:2")
    await change(engine, "contracts:1", dataset="weather")
    await add(engine, "contracts:3")
    await change(engine, "contracts:3", scope={"region_id": "everywhere"})

    await ticking.tick()

    assert await ticking.tick() == 0
    assert [slot.schedule_id for slot in await ledger(engine)] == ["contracts:2"]
    async with engine.connect() as connection:
        query = select(schedules.c.schedule_id, schedules.c.note).where(schedules.c.paused)
        notes = {row.schedule_id: row.note for row in await connection.execute(query)}
    assert set(notes) == {"contracts:1", "contracts:3"}
    assert "weather" in (notes["contracts:1"] or "")


async def test_the_slots_of_a_paused_schedule_are_on_record_and_cause_nothing(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await add(engine, overdue=timedelta(hours=2))
    await change(engine, "contracts:1", paused=True)

    await ticking.tick()

    assert await ticking.tick() == 0
    assert [slot.fate for slot in await ledger(engine)] == ["skipped_paused"] * 3
    assert await sent(engine) == []


async def test_a_slot_in_another_s_hands_does_not_make_the_clockwork_spin(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    await add(engine, overdue=SECOND)
    async with engine.begin() as other:
        await claiming.claim_due(other)

        assert await ticking.tick() == 0
        assert await ticking.turn() == clockwork.HELD_SECONDS


async def test_lateness_is_measured_on_the_database_s_clock(engine: AsyncEngine, ticking: Clockwork) -> None:
    await add(engine, overdue=timedelta(minutes=20))
    async with engine.connect() as connection:
        before = await store.now(connection)
        await ticking.tick()
        after = await store.now(connection)

    (slot,) = await ledger(engine)
    assert before <= slot.decided_at <= after
    assert slot.lateness_ms == (slot.decided_at - slot.slot_at) // timedelta(milliseconds=1)
    assert slot.lateness_ms >= 1_200_000


async def test_the_run_that_a_slot_caused_is_found_by_joining_the_two(engine: AsyncEngine, ticking: Clockwork) -> None:
    await add(engine)
    await ticking.tick()
    (event,) = await sent(engine)
    assert event.run_id is not None
    await _add_run(engine, event.run_id, state="succeeded", listed=True)

    async with engine.connect() as connection:
        query = select(runs.c.state).join(schedule_slots, schedule_slots.c.run_id == runs.c.run_id)
        assert (await connection.execute(query)).scalars().all() == ["succeeded"]


async def test_the_default_schedules_are_added_once_and_an_operator_s_change_survives_a_restart(
    engine: AsyncEngine, database_url: str
) -> None:
    settings = SchedulerSettings(
        database_url=database_url,
        kafka_bootstrap_servers="127.0.0.1:1",
        region_ids=(1, 2),
    )
    await asyncio.gather(*(defaults.define(engine, settings) for _ in range(3)))
    await change(engine, "contracts:1", every_seconds=77, paused=True, note="quiet")

    await defaults.define(engine, settings)

    async with engine.connect() as connection:
        rows = (await connection.execute(select(schedules).order_by(schedules.c.schedule_id))).all()
    assert [row.schedule_id for row in rows] == [
        "contracts:1",
        "contracts:2",
        "prices:all",
        "reconcile",
        "universe:all",
    ]
    assert [row.kind for row in rows] == ["upstream", "upstream", "interval", "interval", "interval"]
    assert (rows[0].every_seconds, rows[0].paused, rows[0].note) == (77, True, "quiet")


async def test_a_fresh_installation_sweeps_at_once(engine: AsyncEngine, ticking: Clockwork, database_url: str) -> None:
    settings = SchedulerSettings(
        database_url=database_url,
        kafka_bootstrap_servers="127.0.0.1:1",
        region_ids=(1, 2),
    )
    await defaults.define(engine, settings)

    await ticking.tick()

    assert {event.schedule_id for event in await sent(engine)} >= {
        "contracts:1",
        "contracts:2",
        "prices:all",
        "reconcile",
    }
    async with engine.connect() as connection:
        topics = set(await connection.scalars(select(outbox.c.topic)))
        assert topics == {Topic.SCHEDULES_DUE}
        assert await connection.scalar(select(func.count()).where(schedules.c.next_due_at <= func.now())) == 0


async def test_a_crowd_that_is_due_at_once_is_decided_side_by_side_and_each_slot_once(
    engine: AsyncEngine, ticking: Clockwork
) -> None:
    crowd = 2 * claiming.BATCH + 100
    await add(engine)
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE schedules SET next_due_at = date_trunc('hour', now()), offset_seconds = 0")
        )
        await connection.execute(
            text(
                "INSERT INTO schedules"
                " (schedule_id, name, kind, every_seconds, action, dataset, scope, overlap, next_due_at)"
                " SELECT 's' || n, name, kind, every_seconds, action, dataset, scope, overlap, next_due_at"
                " FROM schedules, generate_series(2, :crowd) n"
            ),
            {"crowd": crowd},
        )

    assert await ticking.turn() == 0

    lines = await ledger(engine)
    assert len({line.schedule_id for line in lines}) == len(lines) == crowd
    async with engine.connect() as connection:
        events = list(await connection.scalars(select(outbox.c.event_id)))
    assert sorted(events) == sorted(line.event_id for line in lines)


async def _add_run(engine: AsyncEngine, run_id: Any, *, state: str, listed: bool) -> None:
    finished = state not in {"queued", "running"}
    async with engine.begin() as connection:
        await connection.execute(
            insert(runs).values(
                run_id=run_id or new_id(),
                dataset="contracts",
                scope={"region_id": 1},
                source="schedule",
                state=state,
                listed_at=func.now() if listed else None,
                finished_at=func.now() if finished else None,
            )
        )


async def _turn_back(engine: AsyncEngine, interval: Interval) -> None:
    """Make the schedule's next slot come now, by moving all that was recorded into the past."""
    async with engine.begin() as connection:
        await connection.execute(update(schedule_slots).values(slot_at=schedule_slots.c.slot_at - interval.every))
        await connection.execute(update(schedules).values(next_due_at=schedules.c.next_due_at - interval.every))
