"""Schedules that emit any event: what is sent, under which id, and who may cause it."""

from datetime import timedelta
from typing import Any

import msgspec

from common.slots import Definition, Emission, event_id
from scheduler.clockwork import Clockwork
from scheduler.controls import Controls
from support.schedules import Schedules, asked, body_of

MINUTE = timedelta(minutes=1)
ITEMS = "freeport.ingest.items.wanted.v1"
WANTED: dict[str, Any] = {"region_id": 10000002, "contract_ids": [1, 2]}
EMITTING = Definition(
    name="x", kind="interval", every_seconds=60, action="emit", emits=Emission(type=ITEMS, data=WANTED)
)


async def test_a_slot_emits_its_event_once_with_its_instant_and_the_id_that_the_ledger_shows(
    kept: Schedules, ticking: Clockwork
) -> None:
    await kept.add(EMITTING, overdue=3 * MINUTE)

    await ticking.tick()
    await ticking.tick()

    *skipped, line = await kept.lines()
    (message,) = await kept.messages()
    assert (line.fate, line.run_id, line.event_id) == ("fired", None, message.event_id)
    assert (message.topic, message.event_type, message.key) == ("freeport.ingest.items.v1", ITEMS, "1")
    assert (message.event_id, message.event_time) == (event_id("s", line.slot_at), line.slot_at)
    assert msgspec.json.decode(message.payload) == WANTED
    assert [each.event_id for each in skipped] == [None] * len(skipped)


async def test_each_slot_s_message_has_an_id_of_its_own_whatever_it_is(kept: Schedules, ticking: Clockwork) -> None:
    await kept.add(
        Definition(name="x", kind="interval", every_seconds=60, action="reconcile", catchup="all"), overdue=3 * MINUTE
    )

    await ticking.tick()

    lines, messages = await kept.lines(), await kept.messages()
    assert [message.event_id for message in messages] == [line.event_id for line in lines]
    assert len({message.event_id for message in messages}) == len(lines) >= 3


async def test_what_is_triggered_or_made_up_for_is_emitted_too_and_once(kept: Schedules, controls: Controls) -> None:
    await asked(kept, controls, "create", body_of(EMITTING))
    now = await kept.now()
    span = {"since": (now - 3 * MINUTE).isoformat(), "until": now.isoformat()}

    triggered = await asked(kept, controls, "trigger", None, scopes=["operate"])
    backfilled = await asked(kept, controls, "backfill", span, scopes=["operate"])
    again = await asked(kept, controls, "backfill", span, scopes=["operate"])

    lines, messages = await kept.lines(), await kept.messages()
    assert (backfilled.result["backfilled"], again.result["backfilled"]) == (len(lines) - 1, 0)
    assert sorted(message.event_id for message in messages) == sorted(line.event_id for line in lines)
    assert triggered.result == {
        "slot_at": lines[-1].slot_at.isoformat(),
        "run_id": None,
        "event_id": str(lines[-1].event_id),
    }
    assert {message.event_type for message in messages} == {ITEMS}


async def test_what_is_no_command_is_caused_by_operators_only(kept: Schedules, controls: Controls) -> None:
    await kept.add(EMITTING)

    async def status(control: str, *scopes: str) -> int:
        return int((await asked(kept, controls, control, scopes=scopes)).status)

    assert [await status(control, "schedules") for control in ("trigger", "resume", "backfill")] == [403] * 3
    assert [await status(control, "schedules") for control in ("pause", "skip_next")] == [200] * 2
    assert await kept.messages() == []
    assert await status("resume", "operate", "schedules") == 200
    assert await status("trigger", "operate", "schedules") == 200
    assert len(await kept.messages()) == 1


async def test_an_event_that_is_none_any_more_pauses_its_schedule_and_no_other(
    kept: Schedules, ticking: Clockwork
) -> None:
    await kept.add(EMITTING, overdue=MINUTE)
    await kept.add(EMITTING, "sound", overdue=MINUTE)
    await kept.change(emits={"type": ITEMS, "data": {"region_id": 0}})

    await ticking.tick()

    row = await kept.row()
    assert (row.paused, row.next_due_at) == (True, None)
    assert "emits.data.region_id" in row.note
    assert (await kept.fates("sound"))[-1] == "fired"
