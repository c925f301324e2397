"""Schedules over HTTP, with a scheduler at work behind them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from common.slots import proof
from common.tables import schedule_ranges, schedule_slots, schedule_versions
from scheduler.clockwork import Clockwork
from support.schedules import Schedules, interval
from support.served_api import Reply, ServedApi
from support.working import at_work

PATH = "/api/v1/schedules"
PRICES: dict[str, Any] = {"name": "prices", "kind": "interval", "every_seconds": 3600, "dataset": "prices"}
HOUR = timedelta(hours=1)


async def post(api: ServedApi, path: str, body: Any = None, **more: Any) -> Reply:
    return await api.ask("POST", PATH + path, **({} if body is None else {"json": body}), **more)


@pytest.mark.usefixtures("scheduler")
async def test_a_schedule_is_made_read_listed_changed_and_deleted(api: ServedApi) -> None:
    made = await post(api, "", {**PRICES, "schedule_id": "mine", "note": "for the evening"})
    read = await api.get(f"{PATH}/mine")
    assert (made.status, made.headers["Location"], made.headers["ETag"]) == (201, f"{PATH}/mine", '"1"')
    assert (read.status, read.headers["ETag"], read.content) == (200, '"1"', made.content)
    assert (read.content["every_seconds"], read.content["note"], read.content["last_slot"]) == (
        3600,
        "for the evening",
        None,
    )

    patch = {"every_seconds": 600, "note": None}
    changed = await api.ask("PATCH", f"{PATH}/mine", json=patch, headers={"If-Match": '"1"'})
    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    assert (changed.content["every_seconds"], changed.content["note"], changed.content["name"]) == (600, None, "prices")
    replaced = await api.ask("PUT", f"{PATH}/mine", json={**PRICES, "name": "other"}, headers={"If-Match": "*"})
    assert (replaced.status, replaced.content["version"], replaced.content["name"]) == (200, 3, "other")

    listed = (await api.get(PATH)).content
    assert [each["schedule_id"] for each in listed["items"]] == ["mine"]
    for found, filters in (
        (1, {"kind": "interval", "dataset": "prices", "paused": "false"}),
        (0, {"kind": "cron"}),
        (0, {"dataset": "names"}),
        (0, {"paused": "true"}),
    ):
        assert len((await api.get(PATH, params=filters)).content["items"]) == found
    gone = await api.ask("DELETE", f"{PATH}/mine", headers={"If-Match": '"3"'})
    assert gone.status == 204
    assert (await api.get(f"{PATH}/mine")).status == 404


@pytest.mark.usefixtures("scheduler")
async def test_a_change_says_which_version_it_is_about(api: ServedApi) -> None:
    await post(api, "", {**PRICES, "schedule_id": "mine"})

    for method, body in (("PUT", PRICES), ("PATCH", {"note": "x"}), ("DELETE", None)):
        more: Any = {} if body is None else {"json": body}
        assert (await api.ask(method, f"{PATH}/mine", **more)).status == 428
        for wrong in ('"7"', 'W/"1"', "nonsense"):
            assert (await api.ask(method, f"{PATH}/mine", headers={"If-Match": wrong}, **more)).status == 412
    assert (await post(api, "/mine/trigger", headers={"If-Match": '"2"'})).status == 412
    assert (await api.get(f"{PATH}/mine")).content["version"] == 1
    assert (await post(api, "", {**PRICES, "schedule_id": "mine"})).status == 409


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"kind": "cron", "cron": "0 0 30 2 *", "zone": "UTC"}, "cron"),
        ({"kind": "cron", "cron": "* * * * *", "zone": "Mars/Olympus"}, "zone"),
        ({"every_seconds": 0}, "every_seconds"),
        ({"every_seconds": 0.5}, "every_seconds"),
        ({"start_at": "2030-01-01T00:00:00Z", "end_at": "2029-01-01T00:00:00Z"}, "end_at"),
        ({"end_at": "2020-01-01T00:00:00Z"}, "end_at"),
        ({"kind": "once", "at": "2020-01-01T00:00:00Z", "every_seconds": None}, "at"),
        ({"kind": "once", "at": "2030-01-01T00:00:00", "every_seconds": None}, "at"),
        ({"jitter_seconds": 3600}, "jitter_seconds"),
        ({"dataset": "contracts"}, "scope.region_id"),
        ({"schedule_id": "audit"}, "schedule_id"),
        ({"schedule_id": "a/b"}, "schedule_id"),
        ({"speed": "warp"}, "speed"),
        ({"name": "nul\x00"}, "name"),
        ({"end_at": "9999-12-31T23:59:59Z"}, "end_at"),
    ],
)
async def test_a_definition_that_makes_no_sense_is_refused_with_the_field_and_the_reason(
    api: ServedApi, said: dict[str, Any], field: str
) -> None:
    body = {**PRICES, **({"every_seconds": None} if said.get("kind") == "cron" else {}), **said}

    reply = await post(api, "", body)

    assert (reply.status, reply.wrong_fields) == (422, [field])
    if "schedule_id" not in said:
        assert (await post(api, "/preview", body)).status == 422


async def test_a_preview_is_what_the_arithmetic_says_and_stores_nothing(api: ServedApi) -> None:
    body = {"name": "x", "kind": "cron", "cron": "30 2 * * *", "zone": "Europe/Berlin", "dataset": "prices"}

    shown = (await post(api, "/preview", body, params={"count": 100})).content["items"]

    slots = [datetime.fromisoformat(each["slot_at"]) for each in shown]
    assert len(slots) == 100
    assert slots == sorted(set(slots))
    assert all(each["slot_at"] == each["due_at"] for each in shown)
    assert (await api.get(PATH)).content["items"] == []


@pytest.mark.usefixtures("scheduler")
async def test_the_next_slots_of_a_schedule_are_those_that_fire(api: ServedApi, kept: Schedules) -> None:
    body = {**PRICES, "schedule_id": "mine", "every_seconds": 1, "overlap": "allow_all", "dataset": "history"}
    await post(api, "", body)

    foretold = (await api.get(f"{PATH}/mine/next", params={"count": 3})).content["items"]
    async with asyncio.timeout(20):
        while len(await kept.lines("mine")) < 4:  # noqa: ASYNC110 - the database sets no event of ours
            await asyncio.sleep(0.05)

    fired = [line.slot_at for line in await kept.lines("mine")]
    assert {datetime.fromisoformat(each["slot_at"]) for each in foretold} <= set(fired)
    assert (await api.get(f"{PATH}/other/next")).status == 404


@pytest.mark.usefixtures("scheduler")
async def test_one_slot_shows_when_it_was_due_when_it_fired_which_run_and_what_that_did(
    api: ServedApi, kept: Schedules
) -> None:
    await post(api, "", {**PRICES, "schedule_id": "mine"})
    fired = (await post(api, "/mine/trigger")).content
    await kept.run(fired["run_id"], "succeeded")

    (slot,) = (await api.get(f"{PATH}/mine/slots")).content["items"]

    assert datetime.fromisoformat(slot["slot_at"]) == datetime.fromisoformat(fired["slot_at"])
    assert (slot["fate"], slot["lateness_ms"], slot["due_at"]) == ("fired", 0, slot["slot_at"])
    assert (slot["run"]["run_id"], slot["run"]["state"]) == (fired["run_id"], "succeeded")
    assert slot["run"]["finished_at"] is not None
    assert (await api.get(f"{PATH}/mine")).content["last_slot"] == slot


async def test_the_ledger_is_read_by_pages_and_filters(
    api: ServedApi, engine: AsyncEngine, kept: Schedules, database: DatabaseSettings
) -> None:
    await kept.add(interval(60, overlap="allow_all"), "mine", overdue=timedelta(minutes=25))
    await Clockwork(engine, Outbox("scheduler"), database).tick()
    lines = [line.slot_at for line in await kept.lines("mine")]

    pages = await api.pages(f"{PATH}/mine/slots", limit=7)
    one = await api.get(f"{PATH}/mine/slots", params={"fate": "fired"})
    bounds = {"since": lines[3].isoformat(), "until": lines[5].isoformat()}
    some = await api.get(f"{PATH}/mine/slots", params=bounds)
    queued = await api.get(f"{PATH}/mine/slots", params={"run_state": "queued"})

    read = [datetime.fromisoformat(slot["slot_at"]) for page in pages for slot in page]
    assert read == lines[::-1]
    assert [len(page) for page in pages[:-1]] == [7] * (len(pages) - 1)
    assert [each["fate"] for each in one.content["items"]] == ["fired"]
    assert [datetime.fromisoformat(each["slot_at"]) for each in some.content["items"]] == lines[5:2:-1]
    assert queued.content == one.content
    assert (await api.get(f"{PATH}/other/slots")).status == 404
    assert (await api.get(f"{PATH}/mine/slots", params={"fate": "late"})).status == 422


async def test_old_slots_are_ranges_that_have_places_on_the_pages(
    api: ServedApi, engine: AsyncEngine, kept: Schedules, database: DatabaseSettings
) -> None:
    await kept.add(interval(60), "mine", overdue=timedelta(minutes=5, seconds=30))
    await Clockwork(engine, Outbox("scheduler"), database).tick()
    lines = [line.slot_at for line in await kept.lines("mine")]
    first, last = lines[0] - timedelta(minutes=20), lines[0] - timedelta(minutes=1)
    async with engine.begin() as connection:
        await connection.execute(
            insert(schedule_ranges).values(
                schedule_id="mine",
                from_slot=first,
                to_slot=last,
                slots=20,
                runs=20,
                proof=proof(first + timedelta(minutes=number) for number in range(20)),
                decided_at=last,
                worst_lateness_ms=40,
                total_lateness_ms=50,
            )
        )

    async def read(**params: Any) -> tuple[int, int, str | None]:
        page = (await api.get(f"{PATH}/mine/slots", params=params)).content
        return len(page["items"]), len(page["ranges"]), page["next_cursor"]

    (shown,) = (await api.get(f"{PATH}/mine/slots")).content["ranges"]
    items, ranges, cursor = await read(limit=len(lines))
    assert (shown["slots"], shown["runs"], shown["worst_lateness_ms"], shown["mean_lateness_ms"]) == (20, 20, 40, 2.5)
    assert [datetime.fromisoformat(shown[name]) for name in ("from_slot", "to_slot")] == [first, last]
    assert (items, ranges) == (len(lines), 0)
    assert await read(limit=len(lines), cursor=cursor) == (0, 1, None)
    assert await read(until=first.isoformat()) == (0, 1, None)
    assert await read(since=lines[0].isoformat()) == (len(lines), 0, None)
    assert await read(fate="skipped_paused") == (0, 0, None)
    assert await read(run_state="succeeded") == (0, 1, None)
    report = (await api.get(f"{PATH}/audit", params={"since": first.isoformat()})).content
    assert (report["lines"], report["strangers"]) == (len(lines) + 20, 0)


async def passing(api: ServedApi) -> list[bool]:
    """Of the next two slots, whether they will pass without effect."""
    reply = await api.get(f"{PATH}/mine/next", params={"count": 2})
    return [each["passes"] for each in reply.content["items"]]


@pytest.mark.usefixtures("scheduler")
async def test_controls_answer_with_what_they_did(api: ServedApi) -> None:
    await post(api, "", {**PRICES, "schedule_id": "mine"})

    paused = await post(api, "/mine/pause", {"note": "maintenance"})
    standing = await passing(api)
    triggered = await post(api, "/mine/trigger")
    resumed = await post(api, "/mine/resume")
    skipped = await post(api, "/mine/skip-next")
    upcoming = await passing(api)
    now = datetime.now(UTC)
    span = {"since": (now - 5 * HOUR).isoformat(), "until": now.isoformat(), "overlap": "allow_all"}
    dry = await post(api, "/mine/backfill", {**span, "dry_run": True})
    done = await post(api, "/mine/backfill", span)

    assert (paused.status, paused.content["paused"], paused.content["note"]) == (200, True, "maintenance")
    assert triggered.content["run_id"] is not None
    assert (resumed.content["paused"], resumed.content["note"]) == (False, None)
    assert (standing, upcoming) == ([True, True], [True, False])
    assert skipped.content["slot_at"] == resumed.content["next_slot_at"].replace("Z", "+00:00")
    assert (dry.content["backfilled"], done.content["backfilled"]) == (5, 5)
    fates = [slot["fate"] for slot in (await api.get(f"{PATH}/mine/slots")).content["items"]]
    assert sorted(fates) == [*["backfilled"] * 5, "fired"]
    future = {"since": now.isoformat(), "until": (now + HOUR).isoformat()}
    assert (await post(api, "/mine/backfill", future)).wrong_fields == ["until"]
    for control in ("trigger", "resume", "skip-next"):
        assert (await post(api, f"/other/{control}")).status == 404


async def test_without_a_scheduler_a_request_stands_and_is_done_once_there_is_one(
    api: ServedApi, engine: AsyncEngine, database: DatabaseSettings, kept: Schedules
) -> None:
    waits = await post(api, "", {**PRICES, "schedule_id": "mine"})
    assert (waits.status, waits.content["state"], waits.content["control"]) == (202, "waiting", "create")
    assert (await api.get(waits.headers["Location"])).content == waits.content

    async with at_work(engine, database), asyncio.timeout(10):
        while await kept.row("mine") is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    answered = (await api.get(waits.headers["Location"])).content
    assert (answered["state"], answered["status"]) == ("answered", 201)


async def test_asking_takes_a_key_and_reading_does_not(api: ServedApi) -> None:
    for method, path in (("POST", ""), ("PUT", "/x"), ("PATCH", "/x"), ("DELETE", "/x"), ("POST", "/x/trigger")):
        reply = await api.ask(method, PATH + path, shows_key=False, json=PRICES, headers={"If-Match": "*"})
        assert reply.status == 401
    assert (await api.get(PATH)).status == 200


# The audit


@pytest.mark.usefixtures("scheduler")
async def test_the_audit_of_a_ledger_that_was_kept_finds_nothing_through_edits_pauses_and_deletion(
    api: ServedApi,
) -> None:
    for name in ("a", "b", "c"):
        body = {**PRICES, "schedule_id": name, "every_seconds": 1, "overlap": "buffer_one", "dataset": "history"}
        await post(api, "", body)
    await post(api, "/a/trigger")
    await asyncio.sleep(1.5)
    await api.ask("PATCH", f"{PATH}/a", json={"every_seconds": 2}, headers={"If-Match": "*"})
    await post(api, "/b/pause", {})
    await asyncio.sleep(1.5)
    await post(api, "/b/resume")
    await api.ask("DELETE", f"{PATH}/c", headers={"If-Match": "*"})
    await asyncio.sleep(1.2)

    report = (await api.get(f"{PATH}/audit")).content

    assert report["clean"], report
    assert (report["schedules"], report["gaps"], report["strangers"], report["doubles"]) == (3, 0, 0, 0)
    assert report["expected"] >= 6


async def test_the_audit_names_a_gap_and_a_line_that_is_no_slot(
    api: ServedApi, engine: AsyncEngine, kept: Schedules, database: DatabaseSettings
) -> None:
    for name in ("good", "bad"):
        await kept.add(interval(60), name, overdue=timedelta(minutes=10))
    await Clockwork(engine, Outbox("scheduler"), database).tick()
    lines = await kept.lines("bad")
    stranger = lines[0].slot_at + timedelta(seconds=7)
    row = {**lines[0]._mapping, "slot_at": stranger}
    async with engine.begin() as connection:
        await connection.execute(
            delete(schedule_slots).where(
                schedule_slots.c.schedule_id == "bad", schedule_slots.c.slot_at == lines[4].slot_at
            )
        )
        await connection.execute(insert(schedule_slots).values(row))

    report = (await api.get(f"{PATH}/audit")).content

    assert (report["clean"], report["gaps"], report["strangers"], report["schedules"]) == (False, 1, 1, 2)
    (bad,) = report["items"]
    found = {(each["what"], datetime.fromisoformat(each["slot_at"])) for each in bad["findings"]}
    assert (bad["schedule_id"], found) == ("bad", {("gap", lines[4].slot_at), ("stranger", stranger)})
    later = {"since": (lines[5].slot_at).isoformat(), "schedule_id": "bad"}
    assert (await api.get(f"{PATH}/audit", params=later)).content["clean"]
    first = (await api.get(f"{PATH}/audit", params={"limit": 1})).content
    pages = [first, (await api.get(f"{PATH}/audit", params={"limit": 1, "cursor": first["next_cursor"]})).content]
    assert [(page["schedules"], page["clean"], page["next_cursor"]) for page in pages] == [
        (1, False, "bad"),
        (1, True, "good"),
    ]


async def test_a_zone_that_is_no_more_is_a_fault_of_one_schedule_only(
    api: ServedApi, engine: AsyncEngine, kept: Schedules
) -> None:
    await kept.add(interval(60), "good")
    await kept.add(interval(60), "bad")
    broken = {"name": "x", "kind": "cron", "cron": "* * * * *", "zone": "Gone/Away"}
    async with engine.begin() as connection:
        await connection.execute(
            update(schedule_versions).where(schedule_versions.c.schedule_id == "bad").values(definition=broken)
        )

    report = (await api.get(f"{PATH}/audit")).content

    assert [(each["schedule_id"], "Gone/Away" in each["fault"]) for each in report["items"]] == [("bad", True)]
