"""What schedules emit and what they ask of upstream, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common.keys import store
from common.keys.tokens import Scope
from common.messaging.outbox import Outbox
from scheduler.controls import Controls
from support.schedules import Schedules
from support.served_api import Reply, ServedApi

PATH = "/api/v1/schedules"
PRICES: dict[str, Any] = {"name": "prices", "kind": "interval", "every_seconds": 3600, "dataset": "prices"}
COMMAND, DUE = "freeport.ingest.requested.v1", "freeport.schedule.due.v1"
ITEMS = {"type": "freeport.ingest.items.wanted.v1", "data": {"region_id": 10000002, "contract_ids": [1, 2]}}
EMITTING: dict[str, Any] = {"name": "items", "kind": "interval", "every_seconds": 3600, "emits": ITEMS}


@pytest.fixture
async def lesser(engine: AsyncEngine) -> dict[str, str]:
    """The headers of somebody whose key is for schedules and no more."""
    async with engine.begin() as connection:
        token = await store.create(connection, [Scope.SCHEDULES])
    return {"Authorization": f"Bearer {token.reveal()}"}


async def make(api: ServedApi, body: dict[str, Any], **more: Any) -> Reply:
    return await api.ask("POST", PATH, json=body, **more)


async def patch(api: ServedApi, body: dict[str, Any], **more: Any) -> Reply:
    headers = {"If-Match": "*", **more.pop("headers", {})}
    return await api.ask("PATCH", f"{PATH}/mine", json=body, headers=headers, **more)


@pytest.mark.usefixtures("scheduler")
async def test_a_schedule_of_any_event_is_made_read_triggered_and_followed_to_the_message(
    api: ServedApi, kept: Schedules
) -> None:
    made = await make(api, {**EMITTING, "schedule_id": "mine"})
    triggered = await api.ask("POST", f"{PATH}/mine/trigger")
    (slot,) = (await api.get(f"{PATH}/mine/slots")).content["items"]

    assert (made.status, made.content["action"], made.content["emits"]) == (201, "emit", ITEMS)
    assert (made.content["dataset"], made.content["scope"]) == (None, {})
    (message,) = await kept.messages()
    assert str(message.event_id) == slot["event_id"] == triggered.content["event_id"]
    assert (slot["run"], triggered.content["run_id"]) == (None, None)
    assert message.event_time == datetime.fromisoformat(slot["slot_at"])
    assert message.event_type == ITEMS["type"]


@pytest.mark.usefixtures("scheduler")
async def test_a_command_is_the_same_in_full_and_in_short(api: ServedApi) -> None:
    full = {"type": COMMAND, "data": {"dataset": "contracts", "scope": {"region_id": 10000002}}}
    short: dict[str, Any] = {"action": "ingest", "dataset": "contracts", "scope": {"region_id": 10000002}}
    timing = {"name": "x", "kind": "interval", "every_seconds": 3600}

    ways: list[dict[str, Any]] = [{"emits": full}, short, {"emits": full, **short}]
    for number, said in enumerate(ways):
        made = (await make(api, {**timing, **said, "schedule_id": f"s{number}"})).content
        assert {name: made[name] for name in short} == short
        assert made["emits"] == full
    look: dict[str, Any] = {"emits": {"type": DUE, "data": {"action": "reconcile"}}}
    for number, more in enumerate((look, {"action": "reconcile"})):
        made = (await make(api, {**timing, **more, "schedule_id": f"r{number}"})).content
        assert (made["action"], made["emits"], made["dataset"]) == ("reconcile", look["emits"], None)


@pytest.mark.usefixtures("scheduler")
async def test_a_patch_says_it_in_either_words(api: ServedApi) -> None:
    await make(api, {**PRICES, "schedule_id": "mine"})
    command = {"type": COMMAND, "data": {"dataset": "names"}}

    def told(reply: Reply) -> tuple[Any, ...]:
        assert reply.status == 200, reply.content
        return reply.content["action"], reply.content["dataset"], reply.content["emits"]["type"]

    assert told(await patch(api, {"emits": ITEMS})) == ("emit", None, ITEMS["type"])
    assert told(await patch(api, {"emits": {"data": {"region_id": 7}}})) == ("emit", None, ITEMS["type"])
    assert (await api.get(f"{PATH}/mine")).content["emits"]["data"] == {"region_id": 7, "contract_ids": [1, 2]}
    assert (await patch(api, {"emits": None})).wrong_fields == ["dataset"]
    assert told(await patch(api, {"dataset": "universe"})) == ("ingest", "universe", COMMAND)
    assert told(await patch(api, {"emits": command})) == ("ingest", "names", COMMAND)
    assert told(await patch(api, {"action": "reconcile", "dataset": None})) == ("reconcile", None, DUE)
    body = (await api.get(f"{PATH}/mine")).content
    again = {name: body[name] for name in ("name", "kind", "every_seconds", "action", "scope", "emits")}
    put = await api.ask("PUT", f"{PATH}/mine", json=again, headers={"If-Match": "*"})
    assert told(put) == ("reconcile", None, DUE)


NO_EVENTS: list[tuple[Any, str]] = [
    ({"type": "freeport.contract.listed.v2", "data": {}}, "emits.type"),
    ({"type": ITEMS["type"], "data": {"contract_ids": [1]}}, "emits.data.region_id"),
    ({"type": ITEMS["type"], "data": {"region_id": 1, "contract_ids": ["one"]}}, "emits.data.contract_ids[0]"),
    ({"type": ITEMS["type"], "data": {"region_id": 1, "contract_ids": [1], "x": 2}}, "emits.data.x"),
    ({"type": ITEMS["type"], "data": {"region_id": 2**70, "contract_ids": [1]}}, "emits.data"),
    ({"type": COMMAND, "data": {"dataset": "contracts"}}, "emits.data.scope.region_id"),
    ({"type": COMMAND, "data": {"dataset": "names"}}, "dataset"),
    ({"type": "freeport.contract.delisted.v1", "data": {"outcome": "\x00"}}, "emits.data"),
    ({"type": "freeport.contract.delisted.v1", "data": {"outcome": "\ud800"}}, "emits.data"),
    ({"type": ITEMS["type"]}, "emits.data"),
    ("freeport.contract.listed.v1", "emits"),
]


async def test_an_event_that_is_none_is_refused_with_the_field(api: ServedApi) -> None:
    for emits, field in NO_EVENTS:
        body = {**EMITTING, "emits": emits, **({"dataset": "prices"} if field == "dataset" else {})}
        reply = await make(api, body)
        assert (reply.status, reply.wrong_fields) == (422, [field])
        assert (await api.ask("POST", f"{PATH}/preview", json=body)).status == 422


@pytest.mark.usefixtures("scheduler")
async def test_what_is_no_command_takes_the_scope_operate(
    api: ServedApi, kept: Schedules, lesser: dict[str, str]
) -> None:
    reconcile = {"name": "x", "kind": "interval", "every_seconds": 3600, "action": "reconcile"}
    command = {**EMITTING, "emits": {"type": COMMAND, "data": {"dataset": "names"}}}
    for body in (EMITTING, reconcile):
        refused = await make(api, body, headers=lesser)
        assert (refused.status, 'scope="operate"' in refused.headers["WWW-Authenticate"]) == (403, True)
    assert (await make(api, {**command, "schedule_id": "mine"}, headers=lesser)).status == 201
    assert (await patch(api, {"emits": ITEMS}, headers=lesser)).status == 403
    put = await api.ask("PUT", f"{PATH}/mine", json=reconcile, headers={"If-Match": "*", **lesser})
    assert put.status == 403
    assert (await patch(api, {"emits": ITEMS})).status == 200

    caused = await api.ask("POST", f"{PATH}/mine/trigger", headers=lesser)
    resumed = await api.ask("POST", f"{PATH}/mine/resume", headers=lesser)
    now = datetime.now(UTC)
    span = {"since": (now - timedelta(hours=2)).isoformat(), "until": now.isoformat()}
    made_up_for = await api.ask("POST", f"{PATH}/mine/backfill", json=span, headers=lesser)
    paused = await api.ask("POST", f"{PATH}/mine/pause", json={}, headers=lesser)
    assert (caused.status, resumed.status, made_up_for.status, paused.status) == (403, 403, 403, 200)
    assert await kept.messages() == []


# What upstream grants


@pytest.mark.usefixtures("scheduler")
async def test_what_does_not_fit_is_409_with_the_arithmetic_unless_it_is_forced(api: ServedApi) -> None:
    await make(api, {**PRICES, "every_seconds": 300, "schedule_id": "others"})
    greedy = {**PRICES, "every_seconds": 10, "schedule_id": "mine"}

    refused = await make(api, greedy)
    forced = await make(api, greedy, params={"force": "true"})
    worse = await patch(api, {"every_seconds": 5})
    worse_by_force = await patch(api, {"every_seconds": 5}, params={"force": "true"})

    (budget,) = refused.content["budgets"]
    assert (refused.status, refused.headers["Content-Type"]) == (409, "application/problem+json")
    assert (budget["group"], budget["window_seconds"], budget["unit"]) == ("market-order", 900, "tokens")
    assert (budget["allowed"], budget["wanted"], budget["this"]["wanted"]) == (10_800, 74_400, 72_000)
    assert [each["schedule_id"] for each in budget["others"]] == ["others"]
    assert "of market-order 74,400 in 900 s" in refused.content["detail"]
    assert [reply.status for reply in (forced, worse, worse_by_force)] == [201, 409, 200]
    await api.ask("POST", f"{PATH}/mine/pause", json={})
    assert (await api.ask("POST", f"{PATH}/mine/resume")).status == 409
    assert (await api.ask("POST", f"{PATH}/mine/resume", params={"force": "true"})).status == 200


async def test_what_schedules_ask_of_upstream_is_told_beside_what_it_grants(
    api: ServedApi, engine: AsyncEngine
) -> None:
    empty = (await api.get(f"{PATH}/budget")).content
    for number in range(3):
        await make(api, {**PRICES, "every_seconds": 900, "schedule_id": f"s{number}"})
    await make(api, {**PRICES, "every_seconds": 10, "schedule_id": "resting", "paused": True})
    await Controls(engine, Outbox("scheduler")).apply()

    told = (await api.get(f"{PATH}/budget")).content

    assert (empty["fits"], {each["group"]: each["wanted"] for each in empty["items"]}) == (
        True,
        {"market-order": 0, "ungrouped": 0, "errors": 0},
    )
    orders, ungrouped, errors = told["items"]
    assert (told["fits"], orders["allowance"], orders["allowed"], orders["wanted"]) == (True, 12_000, 10_800, 2_400)
    (share,) = orders["schedules"]
    assert share == {"schedule_id": "s0", "alike": 3, "slots": 1, "requests": 1200.0, "wanted": 2_400}
    assert (ungrouped["wanted"], errors["wanted"], errors["unit"], errors["allowed"]) == (0, 0, "errors", 70)
    of_one = (await api.get(f"{PATH}/resting/budget")).content
    assert (of_one["schedule_id"], of_one["requests_per_run"]) == ("resting", 400)
    (item,) = of_one["items"]
    assert (item["slots"], item["wanted"], item["wanted_by_others"], item["allowed"]) == (90, 72_000, 2_400, 10_800)
    assert (await api.get(f"{PATH}/other/budget")).status == 404


@pytest.mark.usefixtures("scheduler")
async def test_the_examples_in_the_document_work(api: ServedApi) -> None:
    document = (await api.get("/openapi.json")).content
    schemas = document["components"]["schemas"]

    for example in schemas["NewSchedule"]["examples"]:
        assert (await make(api, {**example, "schedule_id": "mine"})).status == 201
        for change in schemas["SchedulePatch"]["examples"]:
            wrong = "every_seconds" in change and example["kind"] != "interval"
            assert (await patch(api, change)).status == (422 if wrong else 200)
        assert (await api.ask("POST", f"{PATH}/preview", json=example)).status == 200
        assert (await api.ask("DELETE", f"{PATH}/mine", headers={"If-Match": "*"})).status == 204
