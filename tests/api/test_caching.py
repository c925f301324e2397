import asyncio
import gzip
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psutil
import pytest

from support.kept_answers import heard, kept
from support.market_rows import NOW, MarketRows
from support.served_api import Reply, ServedApi, api_settings, served

LIST = "/api/v1/contracts"
HELD = "SELECT pid FROM pg_stat_activity WHERE application_name = 'freeport-api' AND wait_event_type = 'Lock'"
LAST_ASKED = "SELECT max(state_change) FROM pg_stat_activity WHERE application_name = 'freeport-api'"


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    process = psutil.Process(pid)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def shown(reply: Reply) -> list[int]:
    return [contract["contract_id"] for contract in reply.content["items"]]


async def sees(api: ServedApi, expected: list[int], path: str = LIST) -> None:
    """What was committed is told within a moment, not within the commit."""
    for _ in range(50):
        reply = await api.get(path)
        if shown(reply) == expected:
            return
        await asyncio.sleep(0.01)
    assert shown(reply) == expected


async def test_a_second_asking_is_answered_from_memory_with_the_same_bytes(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await heard(api)
    before = await kept(api)

    replies = [await api.get(LIST, params={"limit": 7}) for _ in range(3)]

    assert len({reply.body for reply in replies}) == 1
    assert replies[0].headers["ETag"] == replies[1].headers["ETag"]
    assert replies[1].headers["Content-Type"] == "application/json"
    after = await kept(api)
    assert (after["miss"] - before["miss"], after["hit"] - before["hit"]) == (1, 2)


async def test_the_order_of_parameters_makes_no_other_question_but_that_of_one_parameters_values_may(
    api: ServedApi, rows: MarketRows
) -> None:
    await rows.contract(1)
    await heard(api)
    before = await kept(api)

    await api.get(f"{LIST}?limit=3&price_min=0")
    await api.get(f"{LIST}?price_min=0&limit=3")
    one = await api.get(f"{LIST}?limit=1&%6Cimit=0")
    other = await api.get(f"{LIST}?%6Cimit=0&limit=1")

    after = await kept(api)
    assert after["hit"] - before["hit"] == 1
    assert [one.status, other.status] == [422, 200]


async def test_what_the_client_has_is_answered_304_without_a_query(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await heard(api)
    full = await api.get(LIST)
    asked = await rows.execute(LAST_ASKED)

    tag = full.headers["ETag"]
    replies = [
        await api.get(LIST, headers={"If-None-Match": said})
        for said in (tag, f"W/{tag}", f'"other", {tag}', f'"a,b", W/"c", {tag}', "*")
    ]

    assert [(reply.status, reply.body, reply.headers["ETag"]) for reply in replies] == [(304, b"", tag)] * 5
    assert all(reply.headers["Cache-Control"] == full.headers["Cache-Control"] for reply in replies)
    assert "Content-Type" not in replies[0].headers
    assert await rows.execute(LAST_ASKED) == asked


async def test_another_tag_is_answered_in_full(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await heard(api)

    reply = await api.get(LIST, headers={"If-None-Match": '"something", W/"else"'})

    assert shown(reply) == [1]


async def test_gzip_is_for_those_who_take_it_and_has_a_tag_of_its_own(api: ServedApi, rows: MarketRows) -> None:
    for contract_id in range(1, 9):
        await rows.contract(contract_id)
    await heard(api)
    plain = await api.get(LIST, headers={"Accept-Encoding": "identity"})

    replies = {
        accepted: await api.get(LIST, headers={"Accept-Encoding": accepted}, auto_decompress=False)
        for accepted in ("gzip", "br, GZIP;q=0.5", "*", "gzip;q=0", "gzip;q=0.0, *", "deflate")
    }

    packed = {accepted for accepted, reply in replies.items() if reply.headers.get("Content-Encoding") == "gzip"}
    assert packed == {"gzip", "br, GZIP;q=0.5", "*"}
    assert all(gzip.decompress(replies[accepted].body) == plain.body for accepted in packed)
    assert {replies[accepted].headers["ETag"] for accepted in packed} == {plain.headers["ETag"][:-1] + '-gzip"'}
    assert all("Accept-Encoding" in reply.headers["Vary"] for reply in (plain, *replies.values()))
    assert (await api.get(LIST, headers={"If-None-Match": replies["gzip"].headers["ETag"]})).status == 304


async def test_head_says_what_get_would_without_its_body(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await heard(api)
    full = await api.get(LIST)

    head = await api.ask("HEAD", LIST)
    known = await api.ask("HEAD", LIST, headers={"If-None-Match": full.headers["ETag"]})

    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", full.headers["ETag"])
    assert head.headers["Content-Length"] == full.headers["Content-Length"]
    assert known.status == 304


async def test_caches_between_may_keep_it_for_seconds_and_apart_for_each_origin(
    database_url: str, rows: MarketRows
) -> None:
    await rows.contract(1)

    async with served(api_settings(database_url, cors_origins=("https://a.example",))) as api:
        await heard(api)
        await api.get(LIST)
        plain = await api.get(LIST)
        page = await api.get(LIST, headers={"Origin": "https://a.example"})

    assert plain.headers["Cache-Control"] == "public, max-age=2, s-maxage=5, stale-if-error=300"
    assert plain.headers["Vary"] == page.headers["Vary"] == "Accept-Encoding, Origin"
    assert page.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert plain.headers["X-Request-ID"] != page.headers["X-Request-ID"]


async def test_errors_are_never_kept(api: ServedApi, rows: MarketRows) -> None:
    await heard(api)

    missing = await api.get(f"{LIST}/1")
    await rows.contract(1)
    found = await api.get(f"{LIST}/1")
    wrong = [await api.get(LIST, params={"limit": 0}) for _ in range(2)]

    assert (missing.status, found.status) == (404, 200)
    assert "ETag" not in missing.headers
    assert wrong[0].content["request_id"] != wrong[1].content["request_id"]


async def test_what_is_committed_is_seen_by_the_next_asking(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await heard(api)
    await sees(api, [1])

    await rows.contract(2, date_issued=NOW - timedelta(days=2))
    await sees(api, [1, 2])
    await rows.execute("UPDATE contracts SET delisted_at = now() WHERE contract_id = 1")
    await sees(api, [2])


async def test_a_name_that_is_learned_is_shown(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await heard(api)
    assert (await api.get(f"{LIST}/1")).content["issuer_name"] is None

    await rows.name(90_000_001, "Somebody")
    await asyncio.sleep(0.05)

    assert (await api.get(f"{LIST}/1")).content["issuer_name"] == "Somebody"


async def test_when_a_contract_expires_no_answer_has_it_any_more(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    [row] = await rows.execute("SELECT clock_timestamp() + interval '1.3 seconds' AS expires")
    await rows.contract(2, date_expired=row.expires, date_issued=NOW - timedelta(days=2))
    await heard(api)
    before = await kept(api)

    seen: list[tuple[bool, bool]] = []
    while seen.count((True, False)) < 300:
        [clock] = await rows.execute("SELECT clock_timestamp() >= :expires AS over", expires=row.expires)
        seen.append((clock.over, 2 in shown(await api.get(LIST))))
        assert len(seen) < 20_000

    assert (True, True) not in seen
    assert seen[0] == (False, True)
    assert (await kept(api))["hit"] - before["hit"] > len(seen) / 2


async def test_while_the_database_is_not_heard_everything_is_asked_anew(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await heard(api)
    await sees(api, [1])
    [(name,)] = await rows.execute("SELECT current_database()")

    await rows.execute("UPDATE pg_database SET datallowconn = false WHERE datname = :name", name=name)
    await rows.execute(
        "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name = 'freeport-api-market'"
    )
    for contract_id in (2, 3):
        await rows.contract(contract_id, date_issued=NOW - timedelta(days=contract_id))
        assert contract_id in shown(await api.get(LIST))
    before = await kept(api)
    await rows.execute("UPDATE pg_database SET datallowconn = true WHERE datname = :name", name=name)
    await heard(api)
    await api.get(LIST)
    await api.get(LIST)

    after = await kept(api)
    assert before["unknown"] >= 2
    assert after["hit"] > before["hit"]


async def test_a_frozen_connection_is_not_taken_for_silence(api: ServedApi, rows: MarketRows) -> None:
    """A backend that is stopped tells nothing, and its connection stays up."""
    await rows.contract(1)
    await heard(api)
    await sees(api, [1])
    [(pid,)] = await rows.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'freeport-api-market'")

    with stopped(pid):
        await rows.contract(2, date_issued=NOW - timedelta(days=2))
        for _ in range(80):
            if shown(await api.get(LIST)) == [1, 2]:
                break
            await asyncio.sleep(0.05)

        assert shown(await api.get(LIST)) == [1, 2]


async def test_replicas_agree_about_tags(database_url: str, rows: MarketRows) -> None:
    await rows.contract(1)

    async with served(api_settings(database_url)) as one, served(api_settings(database_url)) as other:
        tags = {(await api.get(LIST)).headers["ETag"] for api in (one, other)}
        [tag] = tags
        known = await other.get(LIST, headers={"If-None-Match": tag})
        await rows.contract(2)
        await sees(one, [2, 1])
        await sees(other, [2, 1])

    assert known.status == 304


async def test_a_herd_asks_the_database_once(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await heard(api)
    before = await kept(api)

    async with rows.locked("contracts"):
        herd = [asyncio.ensure_future(api.get(LIST, params={"limit": 9})) for _ in range(40)]
        await asyncio.sleep(0.3)
        waiting = await rows.execute(HELD)
    replies = await asyncio.gather(*herd)

    assert len(waiting) == 1
    assert {reply.body for reply in replies} == {replies[0].body}
    after = await kept(api)
    assert (after["miss"] - before["miss"], after["shared"] - before["shared"]) == (1, 39)


async def test_a_herd_that_runs_into_an_error_is_answered_one_by_one_and_at_once(stranded: ServedApi) -> None:
    replies = await asyncio.gather(*(stranded.get(LIST) for _ in range(20)))

    assert {reply.status for reply in replies} == {503}
    assert len({reply.content["request_id"] for reply in replies}) == 20


async def test_what_is_kept_stays_within_its_bound(database_url: str, rows: MarketRows) -> None:
    for contract_id in range(1, 60):
        await rows.contract(contract_id)

    async with served(api_settings(database_url, api_cache_megabytes=1)) as api:
        await heard(api)
        for limit in range(1, 60):
            await api.get(LIST, params={"limit": limit})
        metrics = (await api.get("/metrics", shows_key=True)).body.decode()

    [size] = re.findall(r"^freeport_cache_bytes (\S+)", metrics, re.MULTILINE)
    assert 500_000 < float(size) <= 1024 * 1024


async def test_a_cache_of_nothing_keeps_nothing(database_url: str, rows: MarketRows) -> None:
    await rows.contract(1)

    async with served(api_settings(database_url, api_cache_megabytes=0)) as api:
        await heard(api)
        replies = [await api.get(LIST) for _ in range(3)]
        known = await api.get(LIST, headers={"If-None-Match": replies[0].headers["ETag"]})
        counts = await kept(api)

    assert [shown(reply) for reply in replies] == [[1]] * 3
    assert known.status == 304
    assert counts["hit"] == 0


@pytest.mark.parametrize("path", ["/api/v1/data/runs", "/api/v1/data/stats", "/health", "/openapi.json"])
async def test_what_is_not_the_market_is_not_kept(api: ServedApi, path: str) -> None:
    reply = await api.get(path)

    assert reply.status == 200
    assert "ETag" not in reply.headers


async def test_a_hit_is_measured_by_its_route(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await heard(api)
    for _ in range(3):
        await api.get(f"{LIST}/1")

    metrics = (await api.get("/metrics", shows_key=True)).body.decode()

    counted = re.findall(r'duration_seconds_count\{method="GET",route="(\S+)",status="200"\} (\S+)', metrics)
    assert ("/api/v1/contracts/{contract_id}", "3.0") in counted
