"""Keys: who is let in, who is not, and what is never said."""

import asyncio
import json
import re
from datetime import timedelta

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.keyring import LIFE_SECONDS, Keyring
from common.keys import store
from common.keys.tokens import Scope, Token
from support.databases import KEY
from support.served_api import Reply, ServedApi

COMMAND = {"dataset": "names"}
INGEST = "/api/v1/data/ingest"
HOOKS = "/api/v1/system/hooks"
JSON = {"Content-Type": "application/json"}
STRANGE: tuple[tuple[str, str | None, dict[str, str]], ...] = (
    ("", None, {}),
    ("", "{", JSON),
    ("", "[]", JSON),
    ("", '{"dataset": "wares"}', JSON),
    ("", "x" * 70_000, JSON),
    ("", "x", {"Content-Type": "text/xml"}),
    ("", "{}", {**JSON, "Idempotency-Key": "", "If-Match": "x"}),
    ("?nothing=1&count=x", "{}", JSON),
)
"""Queries, bodies and headers that nothing takes."""


async def made(engine: AsyncEngine, *scopes: Scope, life: timedelta | None = None) -> Token:
    async with engine.begin() as connection:
        return await store.create(connection, scopes, life=life)


async def post(api: ServedApi, authorization: str | None) -> Reply:
    headers = {} if authorization is None else {"Authorization": authorization}
    return await api.ask("POST", INGEST, json=COMMAND, headers=headers, shows_key=False)


async def shown(api: ServedApi, token: Token) -> Reply:
    return await post(api, f"Bearer {token.reveal()}")


async def test_without_a_key_the_answer_says_how_to_show_one(api: ServedApi) -> None:
    reply = await post(api, None)

    assert reply.status == 401
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="freeport"'
    assert "Authorization: Bearer fp_<id>_<secret>" in reply.content["detail"]


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer fp_",
        "Bearer fp_0123456789ab_5",
        f"Bearer fp_0123456789ab_{'4' * 64}",
        f"Bearer fp_ffffffffffff_{'5' * 64}",
        f"Bearer {KEY.reveal()}5",
        f"Bearer {KEY.reveal().upper()}",
        f"Basic {KEY.reveal()}",
        f"Token {KEY.reveal()}",
        KEY.reveal(),
        f"Bearer {KEY.key_id}",
        "Bearer \x80\xff",
        f"Bearer {'x' * 6000}",
    ],
)
async def test_what_is_no_valid_key_is_refused_and_not_repeated(api: ServedApi, authorization: str) -> None:
    reply = await post(api, authorization)

    assert (reply.status, reply.content["title"]) == (401, "Unauthorized")
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
    secret = authorization.removeprefix("Bearer").strip().encode("latin-1", "replace")
    assert len(secret) < 5 or secret not in reply.body + json.dumps(dict(reply.headers)).encode()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_the_scheme_is_told_by_its_name_in_any_case(api: ServedApi, scheme: str) -> None:
    assert (await post(api, f"{scheme} {KEY.reveal()}")).status == 202


async def test_a_key_without_the_scope_is_told_which_it_lacks(api: ServedApi, engine: AsyncEngine) -> None:
    token = await made(engine, Scope.SCHEDULES, Scope.OPERATE)

    reply = await shown(api, token)

    assert (reply.status, reply.content["detail"]) == (403, "The API key lacks the scope ingest")
    challenge = 'Bearer realm="freeport", error="insufficient_scope", scope="ingest"'
    assert reply.headers["WWW-Authenticate"] == challenge


async def test_each_scope_opens_its_own_operations(api: ServedApi, engine: AsyncEngine) -> None:
    ingesting, operating = await made(engine, Scope.INGEST), await made(engine, Scope.OPERATE)

    async def hooks(token: Token) -> int:
        return (await api.get(HOOKS, headers={"Authorization": f"Bearer {token.reveal()}"})).status

    assert [(await shown(api, token)).status for token in (ingesting, operating)] == [202, 403]
    assert [await hooks(token) for token in (ingesting, operating)] == [403, 200]


async def test_an_expired_key_is_refused(api: ServedApi, engine: AsyncEngine) -> None:
    lasting = await made(engine, Scope.INGEST, life=timedelta(hours=1))
    expired = await made(engine, Scope.INGEST, life=timedelta(0))

    assert [(await shown(api, token)).status for token in (lasting, expired)] == [202, 401]


async def test_a_revoked_key_is_refused_within_seconds(api: ServedApi, engine: AsyncEngine) -> None:
    token = await made(engine, Scope.INGEST)
    before = await shown(api, token)

    async with engine.begin() as connection:
        assert await store.revoke(connection, token.key_id)
    await asyncio.sleep(LIFE_SECONDS + 0.1)

    assert (before.status, (await shown(api, token)).status) == (202, 401)


async def test_a_key_is_asked_for_before_anything_is_said_of_the_request(api: ServedApi) -> None:
    replies = [
        await api.ask("POST", INGEST, json={"dataset": "wares"}, shows_key=False),
        await api.ask("POST", INGEST, data="x", headers={"Content-Type": "text/xml"}, shows_key=False),
        await api.ask("POST", INGEST, json=COMMAND, headers={"Idempotency-Key": ""}, shows_key=False),
    ]

    assert {reply.status for reply in replies} == {401}


@pytest.mark.parametrize("authorization", [None, "Bearer x"])
async def test_a_stranger_learns_nothing_of_what_any_protected_operation_takes(
    api: ServedApi, authorization: str | None
) -> None:
    shown = {} if authorization is None else {"Authorization": authorization}
    document = (await api.get("/openapi.json")).content
    protected = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if operation.get("security") and {} not in operation["security"]
    }

    for operation in protected:
        method, _, path = operation.partition(" ")
        place = re.sub(r"{\w+}", "x", path)
        replies = [
            await api.ask(method, place + query, data=data, headers={**shown, **headers}, shows_key=False)
            for query, data, headers in STRANGE
        ]
        assert {reply.status for reply in replies} == {401}, operation
        assert len({reply.content["detail"] for reply in replies}) == 1, operation
        assert all("errors" not in reply.content for reply in replies), operation
    assert {operation.partition(" ")[0] for operation in protected} == {"GET", "POST", "PUT", "PATCH", "DELETE"}


async def test_a_key_without_the_scope_opens_no_body_either(api: ServedApi, engine: AsyncEngine) -> None:
    token = await made(engine, Scope.OPERATE)
    headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json"}

    assert (await api.ask("POST", INGEST, data="{", headers=headers)).status == 403


async def test_reading_takes_no_key_and_minds_none(api: ServedApi) -> None:
    replies = [
        await api.get("/api/v1/regions"),
        await api.get("/api/v1/regions", headers={"Authorization": "Bearer x"}),
    ]

    assert {reply.status for reply in replies} == {200}


async def test_a_wrong_key_is_not_taken_for_none_where_operators_see_more(api: ServedApi) -> None:
    replies = [await api.get(path, headers={"Authorization": "Bearer x"}) for path in ("/metrics", "/health/detailed")]

    assert {reply.status for reply in replies} == {401}


async def test_no_token_reaches_a_log_a_repr_or_the_database(
    api: ServedApi, engine: AsyncEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    token = await made(engine, Scope.INGEST)
    wrong = Token(token.key_id, "7" * 64)
    await shown(api, token)
    await shown(api, wrong)
    await post(api, f"Bearer {token.secret}")

    async with engine.connect() as connection:
        stored = (await connection.execute(text("SELECT k::text FROM api_keys k"))).scalars().all()
    said = "".join(capsys.readouterr()) + "".join(stored) + repr(token) + str(token)

    assert token.key_id in said
    assert token.secret not in said
    assert wrong.secret not in said


async def test_the_request_s_line_in_the_log_says_whose_key_it_was(
    api: ServedApi, capsys: pytest.CaptureFixture[str]
) -> None:
    await api.ingest(COMMAND)
    await api.get("/api/v1/regions")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"event": "request"' in line]
    assert [line.get("key_id") for line in lines] == [KEY.key_id, None]


async def test_the_use_of_a_key_is_noted_and_of_a_wrong_one_is_not(api: ServedApi, engine: AsyncEngine) -> None:
    used, tried = await made(engine, Scope.INGEST), await made(engine, Scope.INGEST)

    await shown(api, used)
    await shown(api, Token(tried.key_id, "7" * 64))

    async with engine.connect() as connection:
        noted = {key.key_id: key.last_used_at for key in await store.every_key(connection)}
    assert noted[used.key_id] is not None
    assert noted[tried.key_id] is None


# What checking costs


async def test_a_key_in_use_costs_no_query_each_time(engine: AsyncEngine) -> None:
    token = await made(engine, Scope.INGEST)
    keyring = Keyring(engine, patience_seconds=5)
    await keyring.holder(token)
    taken: list[object] = []
    event.listen(engine.sync_engine, "checkout", lambda *_: taken.append("a connection"))

    holders = [await keyring.holder(token) for _ in range(100)]
    wrong = await keyring.holder(Token(token.key_id, "7" * 64))

    assert {holder.key_id for holder in holders if holder} == {token.key_id}
    assert wrong is None
    assert taken == []


async def test_strangers_cannot_fill_the_keyring(engine: AsyncEngine) -> None:
    keyring = Keyring(engine, patience_seconds=5)

    for _ in range(50):
        assert await keyring.holder(Token.new()) is None

    assert keyring._known == {}
