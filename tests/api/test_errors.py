"""How the api answers what it cannot answer, and what every answer carries."""

import asyncio
import math
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.keyring import Holder, _Known
from api.problems import Problem
from common.keys.tokens import Scope
from support.databases import KEY
from support.market_rows import THE_FORGE, MarketRows
from support.served_api import HostedApi, ServedApi, api_settings, hook_folder, served

ORIGIN = "https://freeport.example"
TOLD_BY_THE_DATABASE = "contract_type"
"""It also takes a word that no schema knows, if a contract has it."""
FAILING = """
from fastapi import FastAPI

def register_middleware(app: FastAPI) -> None:
    @app.get("/fails")
    async def fails() -> None:
        raise RuntimeError("the secret of " + "freeport")
"""


def wrong_requests(document: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """For every parameter that not any text will do for, and every body: a request in which it is wrong."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "requestBody" in operation:
                yield method, re.sub(r"{\w+}", "x", path), {"json": []}
                continue
            picky = {
                each["name"]: each["in"]
                for each in operation.get("parameters", [])
                if each["in"] in {"path", "query"}
                and each["name"] != TOLD_BY_THE_DATABASE
                and not takes_any_text(document, each["schema"])
            }
            right = re.sub(r"{(\w+)}", lambda found: "1" if found[1] in picky else "x", path)  # noqa: B023 - used at once
            for name, place in picky.items():
                yield method, re.sub(r"{\w+}", "x", path) if place == "path" else f"{right}?{name}=no-such-thing", {}


def takes_any_text(document: Any, schema: Any) -> bool:
    if "$ref" in schema:
        return takes_any_text(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema or "items" in schema:
        return any(takes_any_text(document, part) for part in schema.get("anyOf", [schema.get("items")]))
    return schema["type"] == "string" and not {"enum", "const", "format"} & schema.keys()


async def test_every_error_is_a_problem_document(api: ServedApi) -> None:
    replies = {
        404: await api.get("/api/v1/wares"),
        405: await api.ask("DELETE", "/api/v1/regions"),
        415: await api.ask("POST", "/api/v1/data/ingest", data="x", headers={"Content-Type": "text/xml"}),
        422: await api.get("/api/v1/contracts?limit=x"),
    }

    for status, reply in replies.items():
        problem = Problem.model_validate_json(reply.body)
        assert (reply.status, problem.status) == (status, status)
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert problem.request_id == reply.headers["X-Request-ID"]
    assert replies[422].content["instance"] == "/api/v1/contracts"
    assert replies[405].headers["Allow"] == "GET"


async def test_a_failure_says_how_to_find_it_and_nothing_else(database_url: str, tmp_path: Any, capsys: Any) -> None:
    hooks = hook_folder(tmp_path, middleware__failing=FAILING)
    async with served(api_settings(database_url, api_hooks=hooks, cors_origins=(ORIGIN,))) as api:
        reply = await api.get("/fails", headers={"Origin": ORIGIN, "X-Request-ID": "mine"})

    assert reply.status == 500
    assert (reply.content["request_id"], reply.headers["X-Request-ID"]) == ("mine", "mine")
    assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert b"secret" not in reply.body
    logged = capsys.readouterr().out
    assert "the secret of freeport" in logged
    assert '"request_id": "mine"' in logged


async def test_without_a_database_everything_that_needs_it_says_to_come_back(stranded: ServedApi) -> None:
    paths = ["contracts", "contracts/1", "regions", "types/34", "data/runs", "data/stats"]
    replies = [await stranded.get(f"/api/v1/{path}") for path in paths]
    replies.append(await stranded.ingest({"dataset": "contracts", "scope": {"region_id": THE_FORGE}}))

    assert {reply.status for reply in replies} == {503}
    assert all(reply.headers["Retry-After"] for reply in replies)
    assert {reply.content["detail"] for reply in replies} == {"The database cannot be reached"}


async def test_what_is_wrong_with_a_request_is_said_also_without_a_database(stranded: HostedApi) -> None:
    lately = _Known(Holder(KEY.key_id, frozenset(Scope)), KEY.digest, math.inf, unnoted=False)
    stranded.parts.keyring._known[KEY.key_id] = lately
    requests = list(wrong_requests((await stranded.get("/openapi.json")).content))
    replies = [await stranded.ask(method, path, **body) for method, path, body in requests]

    assert len(requests) > 150
    asked = zip(requests, replies, strict=True)
    assert [(method, path, reply.status) for (method, path, _), reply in asked if reply.status != 422] == []


async def test_without_a_database_what_needs_none_is_served(stranded: ServedApi) -> None:
    for path in ("/health", "/docs", "/openapi.json", "/asyncapi.json"):
        assert (await stranded.get(path)).status == 200


async def test_no_route_takes_a_parameter_that_it_does_not_have(api: ServedApi) -> None:
    paths = ["/health", "/health/ready", "/api/v1/regions", "/api/v1/types/34", "/api/v1/data/stats", "/openapi.json"]
    replies = [await api.get(f"{path}?region=1") for path in paths]
    replies.append(await api.ask("POST", "/api/v1/data/ingest?force=true", json={"dataset": "names"}))

    assert [(reply.status, reply.wrong_fields[0]) for reply in replies] == [(422, "region")] * 6 + [(422, "force")]


async def test_a_trailing_slash_is_no_other_page_and_no_redirect(api: ServedApi) -> None:
    replies = [await api.get(path) for path in ("/health/", "/api/v1/regions/", "/api/v1/contracts//", "/docs/")]
    accepted = await api.ask("POST", "/api/v1/data/ingest/", json={"dataset": "names"})

    assert [reply.status for reply in replies] == [200] * 4
    assert accepted.status == 202


async def test_head_is_get_without_the_body(api: ServedApi) -> None:
    for path in ("/api/v1/regions", "/api/v1/contracts", "/docs", "/openapi.json"):
        get, head = await api.get(path), await api.ask("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


async def test_a_trace_is_continued_and_a_malformed_one_replaced(api: ServedApi) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    continued = await api.get("/health", headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"})
    replaced = await api.get("/health", headers={"traceparent": "00-nonsense", "X-Request-ID": "with space"})

    assert continued.headers["traceparent"].split("-")[1] == continued.headers["X-Request-ID"] == trace_id
    assert "00f067aa0ba902b7" not in continued.headers["traceparent"]
    assert len(replaced.headers["traceparent"]) == 55
    assert replaced.headers["X-Request-ID"] != "with space"


async def test_a_request_is_one_line_that_tells_no_parameter(api: ServedApi, capsys: Any) -> None:
    await api.get("/api/v1/contracts?cursor=what-the-user-typed", headers={"X-Request-ID": "mine"})
    await api.get("/health")

    lines = [line for line in capsys.readouterr().out.splitlines() if '"event": "request"' in line]
    assert len(lines) == 2
    assert '"path": "/api/v1/contracts", "status": 422' in lines[0]
    assert '"request_id": "mine"' in lines[0]
    assert "what-the-user-typed" not in lines[0]
    assert '"level": "debug"' in lines[1]


@pytest.mark.parametrize(
    ("settings", "origin", "allowed", "credentials"),
    [
        ({"cors_origins": (ORIGIN,)}, ORIGIN, ORIGIN, None),
        ({"cors_origins": (ORIGIN,)}, "https://other.example", None, None),
        ({"cors_origins": (ORIGIN,), "cors_allow_credentials": True}, ORIGIN, ORIGIN, "true"),
        ({"cors_origins": ("*",)}, ORIGIN, "*", None),
        ({}, ORIGIN, None, None),
    ],
)
async def test_origins_are_allowed_as_the_settings_say(
    database_url: str, settings: dict[str, Any], origin: str, allowed: str | None, credentials: str | None
) -> None:
    async with served(api_settings(database_url, **settings)) as api:
        reply = await api.get("/health", headers={"Origin": origin})

    assert reply.headers.get("Access-Control-Allow-Origin") == allowed
    assert reply.headers.get("Access-Control-Allow-Credentials") == credentials


async def test_a_page_may_ask_for_an_ingest(database_url: str) -> None:
    asks = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,idempotency-key,x-request-id",
    }
    async with served(api_settings(database_url, cors_origins=(ORIGIN,))) as api:
        reply = await api.ask("OPTIONS", "/api/v1/data/ingest", headers=asks)

    assert reply.status == 200
    assert "Idempotency-Key" in reply.headers["Access-Control-Allow-Headers"]


async def test_a_database_that_does_not_answer_is_not_waited_for_without_end(
    database_url: str, engine: AsyncEngine
) -> None:
    async with served(api_settings(database_url, api_database_timeout=0.3, database_pool_size=1)) as api:
        async with engine.begin() as connection:
            await connection.execute(text("LOCK TABLE regions, ingest_requests IN ACCESS EXCLUSIVE MODE"))
            read, written = await api.get("/api/v1/regions"), await api.ingest({"dataset": "names"})
        after = await api.get("/api/v1/regions"), await api.ingest({"dataset": "names"})

    assert (read.status, read.content["detail"]) == (503, "The database did not answer in time")
    assert written.status == 503
    assert [reply.status for reply in after] == [200, 202]


async def test_more_requests_than_connections_wait_their_turn(database_url: str, rows: MarketRows) -> None:
    await rows.contract(1)
    async with served(api_settings(database_url, database_pool_size=2)) as api:
        replies = await asyncio.gather(*(api.get("/api/v1/contracts") for _ in range(40)))

    assert {reply.status for reply in replies} == {200}


async def test_a_method_that_a_path_does_not_take_is_told_all_that_it_takes(api: ServedApi) -> None:
    reply = await api.ask("OPTIONS", "/api/v1/schedules")

    assert (reply.status, reply.headers["Allow"]) == (405, "GET, POST")
