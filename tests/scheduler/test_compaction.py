"""Old slots are kept as ranges: the audit, backfills and pauses after failures go on as if each had its line."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from api.auditing import audit
from api.schemas.schedules import AuditQuery, AuditReport
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from common.slots import Definition
from scheduler.clockwork import Clockwork
from scheduler.compaction import Compaction
from scheduler.stores.failures import failing
from support.schedules import SWEEP, Schedules, interval

RETENTION = timedelta(days=30)
LINES = """
INSERT INTO schedule_slots (schedule_id, slot_at, fate, decided_at, lateness_ms, run_id)
SELECT 's', slot_at, 'fired', slot_at + interval '7 ms', 7, CASE WHEN :runs THEN gen_random_uuid() END
  FROM generate_series(CAST(:first AS timestamptz), CAST(:last AS timestamptz), CAST(:every AS interval)) slot_at
"""
RUNS = """
INSERT INTO runs (run_id, dataset, scope, source, state, finished_at)
SELECT run_id, 'contracts', '{"region_id": 1}', 'schedule', 'succeeded', slot_at FROM schedule_slots
"""


@pytest.fixture
def compaction(acting: AsyncEngine) -> Compaction:
    return Compaction(acting, RETENTION, lines=700)


async def execute(engine: AsyncEngine, statement: str, **values: Any) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement), values)


async def rows(engine: AsyncEngine, query: str) -> list[Any]:
    async with engine.connect() as connection:
        return list(await connection.execute(text(query)))


async def months(engine: AsyncEngine, definition: Definition, *, runs: bool = True) -> datetime:
    """A schedule of the last sixty days with a line for every slot, of which half are old; returns its first slot."""
    kept = Schedules(engine)
    begin = (await kept.now() - timedelta(days=60)).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    every = timedelta(seconds=definition.every_seconds or 0)
    await kept.add(definition, overdue=await kept.now() - begin + timedelta(seconds=1))
    await execute(engine, LINES, first=begin, last=await kept.now(), every=every, runs=runs)
    await execute(engine, RUNS if runs else "SELECT 1")
    (newest,) = (await rows(engine, "SELECT max(slot_at) FROM schedule_slots"))[0]
    await kept.change(next_due_at=newest + every, last_decided_at=newest)
    return begin


async def found(engine: AsyncEngine) -> AuditReport:
    return (await audit(engine, AuditQuery())).model_copy(update={"as_of": datetime(2026, 1, 1, tzinfo=UTC)})


async def test_old_slots_become_a_few_rows_and_an_audit_finds_what_it_found_before(
    engine: AsyncEngine, compaction: Compaction
) -> None:
    begin = await months(engine, interval(900))
    hurt = {number: begin + timedelta(minutes=15 * number) for number in (100, 500, 900, 901)}
    await execute(engine, "DELETE FROM schedule_slots WHERE slot_at = :at", at=hurt[100])
    await execute(
        engine,
        "UPDATE runs SET state = 'failed' WHERE run_id = (SELECT run_id FROM schedule_slots WHERE slot_at = :at)",
        at=hurt[500],
    )
    await execute(
        engine,
        "UPDATE schedule_slots SET run_id = (SELECT run_id FROM schedule_slots WHERE slot_at = :one)"
        " WHERE slot_at = :other",
        one=hurt[900],
        other=hurt[901],
    )
    before, lines = await found(engine), len(await Schedules(engine).lines())
    assert (before.gaps, before.doubles, before.strangers) == (1, 1, 0)

    folded = await compaction.once()

    left = await Schedules(engine).lines()
    ranges = await rows(engine, "SELECT * FROM schedule_ranges ORDER BY from_slot")
    assert await found(engine) == before
    assert folded == lines - len(left) == sum(each.slots for each in ranges) > 2_800
    assert [each.slots for each in ranges[:3]] == [100, 399, 399]
    assert {hurt[500], hurt[900], hurt[901]} <= {each.slot_at for each in left}
    assert (ranges[0].runs, ranges[0].worst_lateness_ms, ranges[0].total_lateness_ms) == (100, 7, 700)
    assert await compaction.once() == 0


async def test_what_gets_old_later_makes_the_last_range_longer(engine: AsyncEngine, acting: AsyncEngine) -> None:
    await months(engine, interval(3600), runs=False)
    before = await found(engine)

    for days in (50, 45, 30):
        await Compaction(acting, timedelta(days=days), lines=50).once()

    ((number, slots),) = await rows(engine, "SELECT count(*), sum(slots) FROM schedule_ranges")
    assert (number, slots) in {(1, 720), (1, 719), (1, 721)}
    assert await found(engine) == before


async def test_slots_that_follow_upstream_are_folded_as_far_as_each_came_within_its_bounds(
    engine: AsyncEngine, compaction: Compaction
) -> None:
    begin = await months(
        engine, Definition(**SWEEP, kind="upstream", every_seconds=1800, min_seconds=30, max_seconds=1801)
    )
    await execute(engine, "DELETE FROM schedule_slots WHERE slot_at = :at", at=begin + timedelta(hours=100))
    before = await found(engine)
    assert before.gaps == 1

    await compaction.once()

    assert await found(engine) == before
    (first, *_) = await rows(engine, "SELECT slots FROM schedule_ranges ORDER BY from_slot")
    assert first.slots == 200


async def test_a_compaction_that_breaks_off_has_changed_nothing(engine: AsyncEngine, compaction: Compaction) -> None:
    await months(engine, interval(3600), runs=False)
    before = await Schedules(engine).lines()
    await execute(engine, "ALTER TABLE schedule_ranges ADD CONSTRAINT broken CHECK (false)")

    with pytest.raises(Exception, match="broken"):
        await compaction.once()

    assert await Schedules(engine).lines() == before


async def test_the_newest_line_of_a_schedule_stays_however_old_it_is(engine: AsyncEngine, acting: AsyncEngine) -> None:
    await months(engine, interval(3600), runs=False)
    await execute(engine, "DELETE FROM schedule_slots WHERE slot_at > now() - interval '40 days'")

    await Compaction(acting, RETENTION).once()

    assert len(await Schedules(engine).lines()) == 1


async def test_slots_that_are_folded_are_not_made_up_for_again(
    engine: AsyncEngine, acting: AsyncEngine, database: DatabaseSettings, compaction: Compaction
) -> None:
    begin = await months(engine, interval(3600, overlap="allow_all"), runs=False)
    await execute(engine, "DELETE FROM schedule_slots WHERE slot_at = :at", at=begin + timedelta(hours=10))
    await compaction.once()
    kept = Schedules(engine)

    asked = await kept.ask(
        "backfill", body={"since": begin.isoformat(), "until": (begin + timedelta(days=2)).isoformat()}
    )
    await Clockwork(acting, Outbox("scheduler"), database).turn()

    answer = await kept.answer(asked)
    assert (answer.result["slots"], answer.result["fired_before"], answer.result["backfilled"]) == (49, 48, 1)
    assert [event.slot_at for event in await kept.sent()] == [begin + timedelta(hours=10)]


async def test_failures_with_a_range_of_successes_between_them_are_not_in_a_row(
    engine: AsyncEngine, compaction: Compaction
) -> None:
    begin = await months(engine, interval(3600, pause_after_failures=2))
    await execute(engine, "UPDATE runs SET state = 'failed' WHERE finished_at = :at", at=begin)
    await execute(engine, "DELETE FROM schedule_slots WHERE slot_at > now() - interval '31 days'")
    await execute(
        engine,
        "INSERT INTO schedule_slots (schedule_id, slot_at, fate, decided_at, lateness_ms, run_id)"
        " VALUES ('s', now(), 'fired', now(), 0, gen_random_uuid())",
    )
    await execute(
        engine,
        "INSERT INTO runs (run_id, dataset, scope, source, state, finished_at)"
        " SELECT run_id, 'contracts', '{}', 'schedule', 'failed', now() FROM schedule_slots"
        "  ORDER BY slot_at DESC LIMIT 1",
    )
    await compaction.once()

    *_, newest = await Schedules(engine).lines()
    async with engine.begin() as connection:
        assert await failing(connection, newest.run_id) == {}
