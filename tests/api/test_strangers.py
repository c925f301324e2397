"""Whoever has no key walks over all that is described, leaves no trace, and learns nothing but public data."""

import asyncio
import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from common.tables import metadata
from support.market_rows import NOW, RIFTER, THE_FORGE, MarketRows
from support.served_api import Reply, ServedApi

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
PRIVATE = "for-operators-only"
"""Stands wherever something is stored that is nobody's business."""
JSON = {"Content-Type": "application/json"}
EXPORT = "/api/v1/contracts/export"
"""The walk asks for many at once, and only so many are written."""


SECRETS = (
    "INSERT INTO api_keys (key_id, digest, scopes, note) VALUES (:it, sha256('x'), ARRAY['operate'], :it)",
    "INSERT INTO api_key_uses (key_id, last_used_at) VALUES (:it, now())",
    "INSERT INTO idempotency_keys (key, body_hash, run_id) VALUES (:it, 'x', gen_random_uuid())",
    (
        'INSERT INTO dead_letters (dead_letter_id, consumer, topic, partition, "offset", timestamp_ms, key, value,'
        " header_names, header_values, reason)"
        " VALUES (gen_random_uuid(), 'ingestor', 'topic', 0, 0, 0, :it, :it, ARRAY[:it::bytea], ARRAY[:it::bytea], :it)"
    ),
    (
        "INSERT INTO outbox (service, topic, key, event_id, event_type, event_time, request_id, payload)"
        " VALUES ('api', 'topic', :it, gen_random_uuid(), 'type', now(), :it, :it)"
    ),
    (
        "INSERT INTO heartbeats (service, instance, started_at, beat_at, progress)"
        " VALUES ('ingestor', :it, now(), now(), jsonb_build_object(:it, 1))"
    ),
)
"""What puts `PRIVATE` into every column that strangers must not see."""


async def secrets(rows: MarketRows) -> None:
    for statement in SECRETS:
        await rows.execute(statement.replace(":it", f"'{PRIVATE}'"))


async def market(rows: MarketRows) -> None:
    await rows.coverage(THE_FORGE)
    for contract_id in (1, 2, 3):
        await rows.contract(contract_id)
        await rows.item(contract_id, RIFTER)
    await rows.slot(await rows.run("failed", reason="upstream", finished_at=NOW))
    await rows.beat("scheduler")


async def everything_stored(engine: AsyncEngine) -> Mapping[str, list[str]]:
    """The rows of every table."""
    async with engine.connect() as connection:
        return {
            name: sorted(repr(row) for row in await connection.execute(select(table)))
            for name, table in metadata.tables.items()
        }


def bodies(document: Mapping[str, Any], operation: Mapping[str, Any], luck: random.Random) -> Iterator[dict[str, Any]]:
    """Bodies to send: none, sensible ones where the document tells what is, and what nobody expects."""
    yield {}
    for kind in operation.get("requestBody", {}).get("content", {}).values():
        schema = _resolved(document, kind["schema"])
        for example in [*schema.get("examples", []), sample(document, schema)]:
            yield {"data": orjson.dumps(example), "headers": JSON}
    unexpected: list[Any] = [None, [], {}, "x", 0, [[[]]], {"dataset": "names"}, {"x": luck.random()}]
    for thing in unexpected:
        yield {"data": orjson.dumps(thing), "headers": JSON}
    yield {"data": b"{", "headers": JSON}
    yield {"data": luck.randbytes(200), "headers": {"Content-Type": luck.choice(["", "text/plain", "image/png"])}}


def sample(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Something that the schema allows, or nearly."""
    schema = _resolved(document, schema)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return sample(document, schema[word][0])
    if "const" in schema or "enum" in schema or "default" in schema or "examples" in schema:
        choices = [schema.get("const"), *schema.get("enum", []), *schema.get("examples", []), schema.get("default")]
        return next((choice for choice in choices if choice is not None), None)
    kinds = {
        "object": {name: sample(document, part) for name, part in schema.get("properties", {}).items()},
        "array": [sample(document, schema["items"])] if "items" in schema else [],
        "integer": schema.get("minimum", 1),
        "number": schema.get("minimum", 1),
        "boolean": True,
        "string": "00000000-0000-4000-8000-000000000000" if schema.get("format") == "uuid" else "x",
    }
    return kinds.get(schema.get("type", "null"))


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def filled(document: Mapping[str, Any], path: str, item: Mapping[str, Any]) -> str:
    """The path with something sensible in the place of each parameter."""
    parameters = [each for operation in item.values() for each in operation.get("parameters", [])]
    schemas = {each["name"]: each["schema"] for each in parameters if each["in"] == "path"}
    return re.sub(r"\{(\w+)\}", lambda found: str(sample(document, schemas[found[1]])), path)


async def test_a_walk_over_every_operation_without_a_key_changes_nothing_and_reveals_only_public_data(
    api: ServedApi, rows: MarketRows, engine: AsyncEngine
) -> None:
    luck = random.Random(7)  # noqa: S311 - the same for everybody, on purpose
    await market(rows)
    await secrets(rows)
    document = (await api.get("/openapi.json")).content
    before = await everything_stored(engine)

    replies: dict[str, list[Reply]] = {}
    for path, item in {**document["paths"], "/metrics": {}}.items():
        place = filled(document, path, item)
        for method in METHODS:
            described = item.get(method.lower(), {})
            asked = [api.ask(method, place, shows_key=False, **body) for body in bodies(document, described, luck)]
            replies[f"{method} {path}"] = await asyncio.gather(*asked)

    assert await everything_stored(engine) == before
    for operation, given in replies.items():
        method, _, path = operation.partition(" ")
        told = b"".join(reply.body + repr(dict(reply.headers)).encode() for reply in given)
        assert PRIVATE.encode() not in told, operation
        busy = {503} if path == EXPORT else set()
        assert {reply.status for reply in given} <= {200, 400, 401, 404, 405, 413, 415, 422} | busy, operation
        if method not in {"GET", "HEAD"}:
            assert 200 not in {reply.status for reply in given}, operation
        if method.lower() in document["paths"].get(path, {}) and method != "GET":
            assert 401 in {reply.status for reply in given}, operation


async def test_the_walk_finds_what_is_revealed_to_whoever_has_a_key(api: ServedApi, rows: MarketRows) -> None:
    """What the walk looks for is really there to be found."""
    await secrets(rows)

    for path in ("/metrics", "/health/detailed"):
        assert PRIVATE.encode() in (await api.get(path, shows_key=True)).body
