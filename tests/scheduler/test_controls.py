"""What operators ask of schedules, from the request to its effect."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, Scope
from common.ids import new_id
from common.messaging.delivery import Delivery
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from common.slots import Definition, slots_of
from common.telemetry import continued
from scheduler import defaults
from scheduler.clockwork import Clockwork
from scheduler.controls import Controls
from scheduler.handlers.run_told import RunTold, run_told
from scheduler.settings import SchedulerSettings
from support.schedules import SWEEP, Schedules, asked, body_of, interval

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
UPSTREAM = Definition(**SWEEP, kind="upstream", every_seconds=1800, min_seconds=30, max_seconds=3600)


async def drain(ticking: Clockwork) -> None:
    while await ticking.tick():
        pass


# Definitions


async def test_a_new_schedule_begins_with_its_first_slot_from_now_on(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    before = await kept.now()
    answer = await asked(kept, controls, "create", body_of(interval(60), note="mine"))

    row = await kept.row()
    assert answer.status == 201
    assert (row.version, row.paused, row.note) == (1, False, "mine")
    assert row.next_due_at == slots_of(interval(60)).at_or_after(before)
    assert await ticking.tick() == 0
    assert (await asked(kept, controls, "create", body_of(interval(60)))).status == 409


async def test_a_definition_that_makes_no_sense_changes_nothing(kept: Schedules, controls: Controls) -> None:
    refused = await asked(kept, controls, "create", body_of(Definition(**SWEEP, kind="cron", cron="* * * * *")))
    await kept.add(interval())
    edited = await asked(kept, controls, "replace", body_of(interval(0)))

    assert (refused.status, list(refused.errors)) == (422, ["zone"])
    assert (edited.status, list(edited.errors)) == (422, ["every_seconds"])
    assert (await kept.row()).version == 1


@pytest.mark.parametrize("body", [{}, {"definition": {"kind": "sometimes", "name": "x"}}, {"definition": 7}])
async def test_a_request_that_nobody_understands_does_not_stand_in_the_way_of_the_next(
    kept: Schedules, controls: Controls, body: Any
) -> None:
    broken = await kept.ask("create", body=body)
    unknown = await kept.ask("dance")
    fine = await kept.ask("create", "t", body=body_of(interval()))

    assert await controls.apply() == 3
    answers = [(await kept.answer(each)).status for each in (broken, unknown, fine)]
    assert answers == [422, 404, 201]


async def test_an_edit_applies_from_now_on_and_what_came_before_is_decided_by_the_old_definition(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    await kept.add(interval(60, overlap="allow_all"), overdue=3 * MINUTE)

    assert (await asked(kept, controls, "replace", body_of(interval(7, overlap="allow_all")))).status == 200

    fates = await kept.fates()
    assert fates[:-1] == ["skipped_catchup"] * (len(fates) - 1)
    assert fates[-1] == "fired"
    assert len(fates) in {3, 4}
    row, (_, second) = await kept.row(), await kept.versions()
    assert row.version == second.version == 2
    assert row.next_due_at == slots_of(interval(7)).at_or_after(second.from_at)
    before = await kept.lines()
    assert all(line.slot_at < second.from_at for line in before)
    await ticking.tick()  # a slot of the new definition may be due by now
    since = (await kept.lines())[len(before) :]
    assert all(line.slot_at >= second.from_at for line in since)


async def test_an_edit_of_another_version_is_refused(kept: Schedules, controls: Controls) -> None:
    await kept.add(interval())
    assert (await asked(kept, controls, "replace", body_of(interval(50)), if_version=1)).status == 200

    assert (await asked(kept, controls, "replace", body_of(interval(40)), if_version=1)).status == 412
    assert (await asked(kept, controls, "delete", if_version=1)).status == 412
    assert (await kept.row()).every_seconds == 50


async def test_an_edit_that_changes_only_the_note_leaves_the_slots_alone(kept: Schedules, controls: Controls) -> None:
    await kept.add(interval(), overdue=HOUR)
    due = (await kept.row()).next_due_at

    await asked(kept, controls, "replace", body_of(interval(), note="quiet hours"))

    row = await kept.row()
    assert (row.note, row.version, row.next_due_at) == ("quiet hours", 2, due)
    assert len(await kept.versions()) == 1


async def test_a_schedule_that_follows_upstream_knows_what_was_told_also_after_an_edit(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    await kept.add(UPSTREAM)
    await ticking.tick()
    fired_at = (await kept.row()).last_fired_at
    await kept.change(fresh_until=fired_at + 20 * MINUTE)

    await asked(kept, controls, "replace", body_of(msgspec.structs.replace(UPSTREAM, min_seconds=60)))

    assert (await kept.row()).next_due_at == fired_at + 20 * MINUTE


async def test_deleting_lets_nothing_fire_any_more_and_keeps_the_record(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    await kept.add(interval(60), overdue=3 * MINUTE)

    assert (await asked(kept, controls, "delete")).status == 204

    assert await ticking.tick() == 0
    assert await kept.row() is None
    assert set(await kept.fates()) == {"skipped_paused"}
    assert await kept.sent() == []
    assert [version.definition is None for version in await kept.versions()] == [False, True]
    assert (await asked(kept, controls, "delete")).status == 404


async def test_deleting_while_it_fires_waits_for_the_slot_and_leaves_no_other(
    kept: Schedules, ticking: Clockwork
) -> None:
    await kept.add(interval(1, overlap="allow_all"))
    running = asyncio.ensure_future(ticking.run())
    while len(await kept.lines()) < 2:  # noqa: ASYNC110 - the database sets no event of ours
        await asyncio.sleep(0.02)

    request = await kept.ask("delete")
    while await kept.answer(request) is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    lines = await kept.lines()
    await asyncio.sleep(1.5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert await kept.lines() == lines
    assert len(await kept.sent()) == sum(line.fate == "fired" for line in lines)


async def test_a_deleted_default_stays_deleted_over_a_restart_and_a_new_one_of_its_name_goes_on_counting(
    engine: AsyncEngine, kept: Schedules, controls: Controls, database_url: str
) -> None:
    settings = SchedulerSettings(database_url=database_url, kafka_bootstrap_servers="127.0.0.1:1", region_ids=(1,))
    await defaults.define(engine, settings)
    await asked(kept, controls, "delete", schedule_id="prices:all")

    await defaults.define(engine, settings)

    assert await kept.row("prices:all") is None
    assert (await asked(kept, controls, "create", body_of(interval()), schedule_id="prices:all")).status == 201
    assert (await kept.row("prices:all")).version == 3


async def test_a_schedule_that_cannot_be_read_can_be_replaced(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    await kept.add(interval(60))
    await kept.change(dataset="weather", next_due_at=await kept.now())
    await ticking.tick()
    assert (await kept.row()).next_due_at is None

    assert (await asked(kept, controls, "trigger")).status == 409
    assert (await asked(kept, controls, "replace", body_of(interval(60), paused=False, note=None))).status == 200
    assert (await kept.row()).next_due_at is not None


# Pausing, skipping, firing out of turn


async def test_what_came_while_paused_is_skipped_and_the_next_fires_after_resuming(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    await kept.add(interval(1, overlap="allow_all"))
    await asked(kept, controls, "pause", {"note": "maintenance"})
    assert ((await kept.row()).paused, (await kept.row()).note) == (True, "maintenance")
    await asyncio.sleep(2.1)

    resuming = datetime.now(UTC)  # what comes while it is being resumed may fire
    await asked(kept, controls, "resume", {"force": True})
    row = await kept.row()
    await asyncio.sleep(1.1)
    await drain(ticking)

    fates = await kept.fates()
    assert (row.paused, row.note) == (False, None)
    assert fates[:2] == ["skipped_paused"] * 2
    assert fates[-1] == "fired"
    lines = await kept.lines()
    assert all(line.slot_at >= resuming for line in lines if line.fate != "skipped_paused")


async def test_a_pause_catches_what_has_come_and_is_not_decided(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    await kept.add(interval(), overdue=HOUR)
    await asked(kept, controls, "pause")
    await ticking.tick()

    assert set(await kept.fates()) == {"skipped_paused"}


async def test_the_next_slot_passes_and_the_one_after_it_fires(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    await kept.add(interval(1, overlap="allow_all"))
    slot = (await kept.row()).next_due_at

    answer = await asked(kept, controls, "skip_next")
    await asyncio.sleep(2.1)
    await drain(ticking)

    assert datetime.fromisoformat(answer.result["slot_at"]) == slot
    first, *others = await kept.lines()
    assert (first.slot_at, first.fate) == (slot, "skipped_paused")
    assert others[-1].fate == "fired"
    assert not (await kept.row()).skip_next


async def test_a_trigger_fires_at_once_also_while_paused_and_moves_no_slot(kept: Schedules, controls: Controls) -> None:
    await kept.add(interval())
    due = (await kept.row()).next_due_at
    await asked(kept, controls, "pause")

    answer = await asked(kept, controls, "trigger")

    (line,) = await kept.lines()
    (event,) = await kept.sent()
    ids = {"run_id": str(line.run_id), "event_id": str(line.event_id)}
    assert answer.result == {"slot_at": line.slot_at.isoformat(), **ids}
    assert (line.fate, line.lateness_ms, line.request_id) == ("fired", 0, answer.request_id)
    assert (event.run_id, event.scope) == (line.run_id, Scope(region_id=1))
    assert (await kept.row()).next_due_at == due


async def test_a_triggered_run_counts_for_the_overlap_of_the_next_slot(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    await kept.add(interval(1))
    await asked(kept, controls, "trigger")
    await asyncio.sleep(1.1)
    await ticking.tick()

    assert (await kept.fates())[-1] == "skipped_overlap"


async def test_each_request_is_done_once_however_many_replicas_see_it(
    engine: AsyncEngine, kept: Schedules, database: DatabaseSettings
) -> None:
    await kept.add(interval())
    clockworks = [Clockwork(engine, Outbox("scheduler"), database) for _ in range(3)]
    running = [asyncio.ensure_future(each.run()) for each in clockworks]
    await asyncio.sleep(0.2)

    requests = [await kept.ask("trigger") for _ in range(20)]
    async with asyncio.timeout(20):
        while any([await kept.answer(each) is None for each in requests]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    assert len(await kept.lines()) == len(await kept.sent()) == 20


@pytest.mark.parametrize("control", ["pause", "resume", "trigger", "skip_next", "delete"])
async def test_a_control_acts_within_a_second(
    kept: Schedules, database: DatabaseSettings, engine: AsyncEngine, control: str
) -> None:
    await kept.add(interval())
    running = [asyncio.ensure_future(Clockwork(engine, Outbox("scheduler"), database).run()) for _ in range(2)]
    await asyncio.sleep(0.5)

    async with asyncio.timeout(1):
        request = await kept.ask(control)
        while await kept.answer(request) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    assert (await kept.answer(request)).status in {200, 204}


async def test_a_request_that_was_left_for_a_day_is_void(
    engine: AsyncEngine, kept: Schedules, controls: Controls
) -> None:
    await kept.add(interval())
    await kept.ask("trigger")
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE schedule_requests SET requested_at = now() - interval '25 hours'"))

    assert await controls.apply() == 0
    assert await kept.lines() == []


# Backfills


async def test_a_backfill_fires_what_did_not_and_repeats_nothing(
    kept: Schedules, controls: Controls, ticking: Clockwork
) -> None:
    await kept.add(interval(), overdue=3 * HOUR)
    await ticking.tick()
    fired = [line for line in await kept.lines() if line.fate == "fired"]
    span = {"since": fired[0].slot_at - 5 * HOUR, "until": fired[0].slot_at, "overlap": "allow_all"}
    body = {**span, "since": span["since"].isoformat(), "until": span["until"].isoformat()}

    dry = await asked(kept, controls, "backfill", {**body, "dry_run": True})
    lines_after_dry = await kept.fates()
    answer = await asked(kept, controls, "backfill", body)
    again = await asked(kept, controls, "backfill", body)

    assert (dry.result["slots"], dry.result["fired_before"], dry.result["backfilled"]) == (6, 1, 5)
    assert "backfilled" not in lines_after_dry
    assert answer.result == {**dry.result, "dry_run": False}
    assert again.result["backfilled"] == 0
    lines = await kept.lines()
    assert [line.fate for line in lines] == [*["backfilled"] * 5, "fired"]
    assert {event.run_id for event in await kept.sent()} == {line.run_id for line in lines}
    assert len({line.run_id for line in lines}) == 6


async def test_a_backfill_that_may_not_overlap_fires_the_first_and_leaves_the_rest(
    kept: Schedules, controls: Controls
) -> None:
    await kept.add(interval())
    until = await kept.now()
    body = {"since": (until - 5 * HOUR).isoformat(), "until": until.isoformat()}

    answer = await asked(kept, controls, "backfill", body)
    while_busy = await asked(kept, controls, "backfill", body)

    assert (answer.result["backfilled"], answer.result["skipped_overlap"]) == (1, 4)
    assert (while_busy.result["backfilled"], while_busy.result["skipped_overlap"]) == (0, 4)
    assert await kept.fates() == ["backfilled"]


async def test_a_backfill_that_is_too_long_or_makes_no_sense_is_refused(kept: Schedules, controls: Controls) -> None:
    await kept.add(interval(1))
    now = await kept.now()

    async def answer(since: timedelta, until: timedelta, **more: Any) -> Any:
        body = {"since": (now + since).isoformat(), "until": (now + until).isoformat(), "dry_run": True, **more}
        return await asked(kept, controls, "backfill", body)

    now = now.replace(microsecond=0)
    just_few_enough = await answer(-timedelta(seconds=9_998), timedelta())
    too_many = await answer(-timedelta(seconds=9_999), timedelta())
    forced = await answer(-timedelta(seconds=10_001), -timedelta(seconds=1), force=True)
    assert (just_few_enough.status, just_few_enough.result["slots"]) == (200, 9_999)
    assert (too_many.status, list(too_many.errors)) == (422, ["until"])
    assert (forced.status, forced.result["slots"] >= 10_000) == (200, True)
    assert list((await answer(-HOUR, HOUR)).errors) == ["until"]
    assert list((await answer(-HOUR, -2 * HOUR)).errors) == ["until"]
    await kept.add(UPSTREAM, "u")
    follows = await kept.ask("backfill", "u", {"since": now.isoformat(), "until": now.isoformat()})
    await controls.apply()
    assert list((await kept.answer(follows)).errors) == ["kind"]


# Slots that wait, failures


async def test_a_slot_that_meets_a_run_waits_for_its_end_and_then_fires(kept: Schedules, ticking: Clockwork) -> None:
    await kept.add(interval(1, overlap="buffer_one"))
    await asyncio.sleep(1.1)
    await ticking.tick()
    (first,) = [line for line in await kept.lines() if line.fate == "fired"]
    await kept.run(first.run_id, "running")
    await asyncio.sleep(2.1)
    await drain(ticking)
    waiting = (await kept.row()).buffered_slot_at
    assert waiting is not None
    assert "fired" not in [line.fate for line in await kept.lines() if line.slot_at > first.slot_at]

    await kept.run(first.run_id, "succeeded")
    await ticking.tick()

    line = next(line for line in await kept.lines() if line.slot_at == waiting)
    assert (line.fate, line.decided_at > waiting) == ("fired", True)
    assert [event.slot_at for event in await kept.sent()] == [first.slot_at, waiting]
    assert (await kept.row()).buffered_slot_at != waiting


async def test_so_many_failures_in_a_row_pause_a_schedule_and_a_success_between_them_does_not(
    engine: AsyncEngine, kept: Schedules, controls: Controls
) -> None:
    await kept.add(interval(pause_after_failures=3))

    async def end(state: Any) -> None:
        answer = await asked(kept, controls, "trigger")
        run_id = answer.result["run_id"]
        await kept.run(run_id, state)
        told = RunTold(run_id=run_id, dataset=Dataset.CONTRACTS, scope=Scope(region_id=1), state=state)
        await run_told(Delivery(new_id(), told, continued(None, None), "scheduler", engine))

    for state in ("failed", "failed", "succeeded", "failed", "failed"):
        await end(state)
    assert not (await kept.row()).paused
    await end("failed")

    row = await kept.row()
    assert (row.paused, row.note) == (True, "paused: its last 3 runs failed")


# When slots fire


async def test_what_fires_is_what_the_arithmetic_says_with_jitter_too(kept: Schedules, ticking: Clockwork) -> None:
    definition = Definition(
        **SWEEP,
        kind="cron",
        cron="* * * * *",
        zone="Europe/Berlin",
        jitter_seconds=50,
        overlap="allow_all",
        catchup="all",
    )
    await kept.add(definition, overdue=10 * MINUTE)
    first = (await kept.row()).next_due_at

    await drain(ticking)

    row, lines = await kept.row(), await kept.lines()
    upcoming = row.next_slot_at or row.next_due_at
    expected = slots_of(definition).between(first, upcoming, at_most=100)
    assert [line.slot_at for line in lines] == expected[:-1]
    assert expected[-1] == upcoming
    assert upcoming <= row.next_due_at < upcoming + 50 * timedelta(seconds=1)
    assert {line.fate for line in lines} == {"fired"}


async def test_a_schedule_whose_one_slot_has_fired_or_whose_end_has_come_does_nothing_more(
    kept: Schedules, ticking: Clockwork
) -> None:
    now = await kept.now()
    await kept.add(Definition(**SWEEP, kind="once", at=now - MINUTE), "once", overdue=HOUR)
    await kept.add(interval(60, end_at=now - 2 * MINUTE), "ended", overdue=HOUR)

    await drain(ticking)

    assert await kept.fates("once") == ["fired"]
    assert (await kept.fates("ended"))[-1] == "fired"
    assert max(line.slot_at for line in await kept.lines("ended")) < now - 2 * MINUTE
    for schedule_id in ("once", "ended"):
        assert (await kept.row(schedule_id)).next_due_at is None


async def test_a_run_of_which_nothing_is_known_any_more_blocks_nothing_for_ever(
    kept: Schedules, ticking: Clockwork
) -> None:
    await kept.add(interval(1))
    await asyncio.sleep(1.1)
    await ticking.tick()
    await kept.change(last_fired_at=await kept.now() - timedelta(days=8))
    await asyncio.sleep(1.1)

    await ticking.tick()

    assert (await kept.fates())[-1] == "fired"
