import asyncio
from typing import Any

import orjson
import pytest

from api.schemas.runs import Run
from common import events
from support.market_rows import DOMAIN, THE_FORGE, MarketRows
from support.served_api import ServedApi, api_settings, served

COMMAND = {"dataset": "contracts", "scope": {"region_id": THE_FORGE}}
INT64_AND_ONE = 2**63


async def test_an_accepted_command_is_a_queued_run_and_two_messages_though_no_broker_is_there(
    api: ServedApi, rows: MarketRows
) -> None:
    reply = await api.ingest(COMMAND, headers={"X-Request-ID": "asked-by-me"})

    run = Run.model_validate_json(reply.body)
    assert reply.status == 202
    assert reply.headers["Location"] == f"/api/v1/data/runs/{run.run_id}"
    assert (run.state, run.source, run.scope.region_id) == ("queued", "api", THE_FORGE)
    outbox = await rows.execute(
        "SELECT topic, key, event_type, request_id, traceparent, payload FROM outbox ORDER BY id"
    )
    assert [(row.topic, row.key) for row in outbox] == [
        (events.Topic.RUNS, str(run.run_id)),
        (events.Topic.COMMANDS, f"contracts:{THE_FORGE}"),
    ]
    assert {row.request_id for row in outbox} == {"asked-by-me"}
    assert reply.headers["traceparent"] == outbox[0].traceparent == outbox[1].traceparent
    command = orjson.loads(outbox[1].payload)
    assert command == {**COMMAND, "run_id": str(run.run_id), "force": False}
    assert (await api.get(reply.headers["Location"])).content == reply.content


async def test_a_dataset_without_regions_needs_no_scope(api: ServedApi) -> None:
    reply = await api.ingest({"dataset": "universe"})

    assert reply.status == 202
    assert reply.content["scope"] == {}


@pytest.mark.parametrize("scope", [{"region_id": THE_FORGE}, {"contract_id": 7}, {"below_version": 2}, {}])
async def test_a_replay_is_accepted_for_a_region_a_contract_or_a_version(
    api: ServedApi, rows: MarketRows, scope: dict[str, int]
) -> None:
    reply = await api.ingest({"dataset": "items", "scope": scope, "force": True})

    assert (reply.status, reply.content["scope"]) == (202, scope)
    sent = await rows.execute("SELECT payload FROM outbox WHERE topic = :topic", topic=events.Topic.COMMANDS)
    assert [orjson.loads(row.payload)["scope"] for row in sent] == [scope]


async def test_the_same_key_and_body_answer_with_the_same_run(api: ServedApi, rows: MarketRows) -> None:
    first = await api.ingest(COMMAND, headers={"Idempotency-Key": "once"})
    await rows.run("succeeded", run_id=first.content["run_id"])
    again = await api.ingest({**COMMAND, "force": False}, headers={"Idempotency-Key": "once"})

    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.status == 202
    assert again.headers["Location"] == first.headers["Location"]
    assert again.content["state"] == "succeeded"


async def test_the_same_key_with_another_body_is_a_conflict(api: ServedApi, rows: MarketRows) -> None:
    await api.ingest(COMMAND, headers={"Idempotency-Key": "once"})

    reply = await api.ingest({**COMMAND, "force": True}, headers={"Idempotency-Key": "once"})

    assert reply.status == 409
    assert await rows.execute("SELECT 1 FROM ingest_requests WHERE force") == []


async def test_many_requests_with_one_key_at_once_are_one_run(api: ServedApi, rows: MarketRows) -> None:
    replies = await asyncio.gather(*(api.ingest(COMMAND, headers={"Idempotency-Key": "k"}) for _ in range(20)))

    assert {reply.status for reply in replies} == {202}
    assert len({reply.content["run_id"] for reply in replies}) == 1
    assert len(await rows.execute("SELECT 1 FROM outbox")) == 2


async def test_many_identical_commands_at_once_are_one_run(api: ServedApi, rows: MarketRows) -> None:
    replies = await asyncio.gather(*(api.ingest(COMMAND, headers={"Idempotency-Key": str(n)}) for n in range(20)))

    assert len({reply.content["run_id"] for reply in replies}) == 1
    assert len(await rows.execute("SELECT 1 FROM ingest_requests")) == 1


@pytest.mark.parametrize("state", ["queued", None])
async def test_a_command_that_is_still_queued_is_not_queued_twice(
    api: ServedApi, rows: MarketRows, state: str | None
) -> None:
    first = await api.ingest(COMMAND)
    if state:
        await rows.run(state, run_id=first.content["run_id"], source="api")

    again = await api.ingest(COMMAND)

    assert again.content["run_id"] == first.content["run_id"]


@pytest.mark.parametrize("state", ["running", "failed"])
async def test_a_command_that_was_taken_up_does_not_stand_for_a_new_one(
    api: ServedApi, rows: MarketRows, state: str
) -> None:
    first = await api.ingest(COMMAND)
    await rows.run(state, run_id=first.content["run_id"], source="api")

    again = await api.ingest(COMMAND)

    assert again.content["run_id"] != first.content["run_id"]


@pytest.mark.parametrize(
    "other", [{"force": True}, {"scope": {"region_id": DOMAIN}}, {"dataset": "names", "scope": {}}]
)
async def test_commands_that_differ_are_queued_side_by_side(api: ServedApi, other: dict[str, Any]) -> None:
    first = await api.ingest(COMMAND)

    second = await api.ingest({**COMMAND, **other})

    assert second.content["run_id"] != first.content["run_id"]


WRONG = [
    ({"dataset": "contracts", "scope": {"region_id": 1}}, "scope.region_id"),
    ({"dataset": "contracts"}, "scope.region_id"),
    ({"dataset": "names", "scope": {"region_id": THE_FORGE}}, "scope.region_id"),
    ({"dataset": "contracts", "scope": {"region_id": str(THE_FORGE)}}, "scope.region_id"),
    ({"dataset": "contracts", "scope": {"region_id": True}}, "scope.region_id"),
    ({"dataset": "contracts", "scope": {"region_id": INT64_AND_ONE}}, "scope.region_id"),
    ({"dataset": "contracts", "scope": {"region_id": 10**40}}, "scope.region_id"),
    ({"dataset": "contracts", "scope": {"region_id": float("inf")}}, "scope.region_id"),
    ({"dataset": "contracts", "scope": {"region": THE_FORGE}}, "scope.region"),
    ({"dataset": "names", "scope": {"contract_id": 1}}, "scope.contract_id"),
    ({"dataset": "contracts", "scope": {"below_version": 1}}, "scope.below_version"),
    ({"dataset": "items", "scope": {"region_id": 1}}, "scope.region_id"),
    ({"dataset": "items", "scope": {"contract_id": 0}}, "scope.contract_id"),
    ({"dataset": "items", "scope": {"contract_id": INT64_AND_ONE}}, "scope.contract_id"),
    ({"dataset": "items", "scope": {"below_version": 2**15}}, "scope.below_version"),
    ({"dataset": "items", "scope": {"below_version": "2"}}, "scope.below_version"),
    ({"dataset": "items", "scope": {"contract_id": 1, "below_version": 2}}, "scope"),
    ({"dataset": "wares"}, "dataset"),
    ({"scope": {"region_id": THE_FORGE}}, "dataset"),
    ({**COMMAND, "force": "yes"}, "force"),
    ({**COMMAND, "fast": True}, "fast"),
    ([], "body"),
]
UNREADABLE = [
    b"{",
    b"",
    b"\xff\xfe",
    b"null",
    b"[" * 30_000,
    b'{"dataset":"contracts","scope":{"region_id":1e309}}',
    b'{"dataset":"contracts","scope":{"region_id":' + b"9" * 5_000 + b"}}",
    b'{"dataset":"contracts","\\ud800":1}',
    b'{"dataset":"contracts","scope":{"\\ud800":1}}',
    b'{"dataset":"\\ud800"}',
]


async def test_a_wrong_command_names_its_wrong_field(api: ServedApi, rows: MarketRows) -> None:
    replies = [(await api.ingest(body), field) for body, field in WRONG]

    assert [(reply.status, reply.wrong_fields) for reply, _ in replies] == [(422, [field]) for _, field in replies]
    assert await rows.execute("SELECT 1 FROM outbox") == []


async def test_a_body_that_is_no_command_at_all_is_the_callers_fault(api: ServedApi) -> None:
    json = {"Content-Type": "application/json"}
    replies = [await api.ask("POST", "/api/v1/data/ingest", data=body, headers=json) for body in UNREADABLE]

    assert {reply.status for reply in replies} == {400, 422}
    assert {reply.headers["Content-Type"] for reply in replies} == {"application/problem+json"}


async def test_a_body_that_does_not_say_it_is_json_is_refused(api: ServedApi) -> None:
    reply = await api.ask("POST", "/api/v1/data/ingest", data=b"{}", headers={"Content-Type": "text/plain"})

    assert reply.status == 415


async def test_a_key_that_is_not_1_to_255_printable_characters_is_refused(api: ServedApi) -> None:
    replies = [await api.ingest(COMMAND, headers={"Idempotency-Key": key}) for key in ("", "x" * 256, "naïve", "a\tb")]

    assert [(reply.status, reply.wrong_fields) for reply in replies] == [(422, ["idempotency-key"])] * 4


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_oversize_body_is_refused_whether_or_not_it_says_its_size(api: ServedApi, *, chunked: bool) -> None:
    async def pieces() -> Any:
        for _ in range(10):
            yield b" " * 10_000

    body = pieces() if chunked else b" " * 100_000
    reply = await api.ask("POST", "/api/v1/data/ingest", data=body, headers={"Content-Type": "application/json"})

    assert reply.status == 413
    assert reply.content["detail"] == "A body may have 65536 bytes"


async def test_while_the_universe_is_not_loaded_nobody_can_tell_a_region_from_none(
    api: ServedApi, rows: MarketRows
) -> None:
    await rows.execute("TRUNCATE regions")

    reply = await api.ingest(COMMAND)

    assert reply.status == 503
    assert reply.headers["Retry-After"]
    assert "universe is not loaded" in reply.content["detail"]
    assert (await api.ingest({"dataset": "universe"})).status == 202


async def test_a_command_is_either_answered_with_a_run_or_leaves_nothing_behind(
    database_url: str, rows: MarketRows
) -> None:
    """The outbox cannot be written: nothing of the command may stay."""
    await rows.execute("ALTER TABLE outbox ADD CONSTRAINT refuses CHECK (false)")

    async with served(api_settings(database_url)) as api:
        reply = await api.ingest(COMMAND, headers={"Idempotency-Key": "k"})

    assert reply.status == 500
    assert await rows.execute("SELECT run_id FROM ingest_requests UNION SELECT run_id FROM idempotency_keys") == []
