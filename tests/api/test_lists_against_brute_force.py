"""Lists held to an evaluation of their rules in Python, over the same rows."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import count
from random import Random
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.datastructures import QueryParams

from api.queries.contracts import page_of
from api.queries.price_ranges import all_but, inside
from api.queries.reach import Outlook, Reach
from api.queries.rolls import offering
from api.query_route import reading_of
from api.schemas.contracts import ContractQuery
from support.brute_force import Memory, pages
from support.market_rows import DOMAIN, THE_FORGE, MarketRows
from support.random_market import fill, question
from support.served_api import ServedApi, api_settings, served

CONTRACTS = "/api/v1/contracts"
OUTLOOKS = [Outlook(reach, walked=20, is_daily=is_daily) for reach in Reach for is_daily in (False, True)]
QUESTIONS, PARTS, TASKS = 2_000, 2, 4


@pytest.fixture
async def asked(database_url: str) -> AsyncIterator[ServedApi]:
    """The api without a memory of its answers: each is to be found anew."""
    async with served(api_settings(database_url, api_cache_megabytes=0)) as api:
        yield api


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same every time is what is wanted


def parameters(question: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in question.items()}


async def ids(api: ServedApi, **params: Any) -> tuple[list[int], Any]:
    reply = await api.get(CONTRACTS, params={"fields": "contract_id", **params})
    assert reply.status == 200, (params, reply.body)
    return [each["contract_id"] for each in reply.content["items"]], reply.content


async def walk(api: ServedApi, params: dict[str, Any], way: str, cursor: str | None = None) -> list[list[int]]:
    """All pages one way, as they come."""
    walked = []
    while True:
        page, envelope = await ids(api, count="none", **params, **({"cursor": cursor} if cursor else {}))
        walked.append(page)
        cursor = envelope[way]
        if cursor is None:
            return walked


async def compare(api: ServedApi, memory: Memory, dice: Random) -> None:
    """One question: its whole list, its counts, and its pages, forwards, backwards or one by its number."""
    wanted = question(dice)
    params = parameters(wanted)
    whole = memory.answer(wanted)
    found, envelope = await ids(api, limit=200, count="exact", **params)
    by_type = memory.by_type(wanted)
    assert found == whole, params
    assert envelope["counts"] == {
        "total": len(whole),
        "total_is": "exact",
        "by_type": by_type,
        "by_type_is": "exact",
    }, params
    assert {each["because"]: each["contracts"] for each in envelope["excluded"]} == memory.excluded(wanted), params

    size = max(1, len(whole) // dice.randint(1, 3))
    manner = dice.choice(("forwards", "backwards", "numbered", "whole"))
    if manner == "forwards":
        assert await walk(api, {**params, "limit": size}, "next_cursor") == pages(whole, size), params
    elif manner == "numbered":
        number = dice.randint(1, max(1, len(whole) // size))
        page, _ = await ids(api, page=number, size=size, count="none", **params)
        assert page == whole[(number - 1) * size : number * size], params
    elif len(whole) > 1:
        _, last = await ids(api, page=2, size=len(whole) - 1, count="none", **params)
        walked = await walk(api, {**params, "limit": size}, "prev_cursor", last["prev_cursor"])
        assert [each for page in reversed(walked) for each in page] == whole[:-1], params


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
async def test_2000_lists_are_what_the_rules_say(asked: ServedApi, engine: AsyncEngine, part: int) -> None:
    memory = await fill(engine, seeded(4), 160)

    async def some(seeds: Iterable[int]) -> None:
        for seed in seeds:
            await compare(asked, memory, seeded(seed))

    await asyncio.gather(*(some(range(part + PARTS * start, QUESTIONS, PARTS * TASKS)) for start in range(TASKS)))


@pytest.mark.parametrize("sort", ["price", "issued"])
async def test_a_page_is_the_same_however_it_is_looked_for(engine: AsyncEngine, database_url: str, sort: str) -> None:
    memory = await fill(engine, seeded(6), 160)
    connection = await asyncpg.connect(database_url)
    counted_on_the_way = 0

    for seed in range(150):
        wanted = {**question(seeded(seed)), "state": "live", "limit": 1 + seed % 7}
        asked = {name: value for name, value in parameters(wanted).items() if name not in {"q", "sort"}}
        query = reading_of(ContractQuery)(QueryParams(urlencode({**asked, "sort": sort}, doseq=True)))
        assert isinstance(query, ContractQuery)
        among = await offering(connection, query)
        pages = [
            await page_of(connection, query, None, None, outlook, ids) for outlook in OUTLOOKS for ids in (None, among)
        ]
        assert all(page == pages[0] for page in pages), asked
        counts = [page.counted for page in pages if page.counted is not None]
        without = {name: value for name, value in wanted.items() if name not in {"q", "sort", "limit"}}
        if not query.contract_type:
            assert all(each == memory.by_type(without) for each in counts), asked
            counted_on_the_way += len(counts)
        following = [await page_of(connection, query, None, pages[0].after, outlook) for outlook in OUTLOOKS]
        assert all(page == following[0] for page in following), asked

    assert counted_on_the_way
    await connection.close()


async def counted(connection: asyncpg.Connection, asked: Mapping[str, Any]) -> Mapping[str, int]:
    """By type, as all but what is outside the range of prices."""
    found = all_but(ContractQuery.model_validate(asked))
    assert found is not None
    statement, arguments = found
    return {row["type"]: row["n"] for row in await connection.fetch(statement, *arguments)}


@pytest.mark.parametrize("region_id", [[], [THE_FORGE], [THE_FORGE, DOMAIN]])
async def test_what_is_in_a_range_of_prices_is_all_but_what_is_outside(
    engine: AsyncEngine, database_url: str, region_id: list[int]
) -> None:
    memory = await fill(engine, seeded(7), 160)
    connection = await asyncpg.connect(database_url)

    for bounds in ({"price_max": 10}, {"price_min": 10}, {"price_min": 5, "price_max": 50.5}, {"price_max": 1e15}):
        asked = {**bounds, **({"region_id": region_id} if region_id else {})}
        assert await counted(connection, asked) == memory.by_type(asked), asked

    await connection.close()


async def test_a_range_of_prices_is_counted_at_one_instant_while_what_is_outside_comes_and_goes(
    engine: AsyncEngine, database_url: str
) -> None:
    memory = await fill(engine, seeded(7), 160)
    asked = {"price_min": 10}
    toggle = "UPDATE contracts SET delisted_at = CASE WHEN delisted_at IS NULL THEN now() END WHERE price < 10"
    writer, reader = [await asyncpg.connect(database_url) for _ in range(2)]
    counts: list[Mapping[str, int]] = []

    async def come_and_go() -> None:
        for _ in range(100):
            await writer.execute(toggle)

    coming = asyncio.create_task(come_and_go())
    while not coming.done():
        counts.append(await counted(reader, asked))
        counts.append((await inside(reader, ContractQuery.model_validate(asked))).by_type)
    await coming

    assert len(counts) > 10
    assert all(each == memory.by_type(asked) for each in counts)
    await writer.close()
    await reader.close()


async def test_what_stands_all_the_time_is_listed_once_while_sweeps_commit(
    asked: ServedApi, engine: AsyncEngine
) -> None:
    memory = await fill(engine, seeded(5), 120)
    standing = {row["contract_id"] for row in memory.contracts if row["contract_id"] % 3}
    rows, salts = MarketRows(engine), count(1)

    async def sweep() -> None:
        while True:
            await rows.execute(
                "UPDATE contracts SET delisted_at = CASE WHEN delisted_at IS NULL THEN now() END"
                " WHERE contract_id % 3 = 0 AND hashint8(contract_id + :salt) % 4 = 0",
                salt=next(salts),
            )
            await rows.execute(
                "UPDATE contracts SET date_issued = date_issued + interval '1 hour', price = coalesce(price, 0) + 7"
                " WHERE contract_id % 3 = 0 AND hashint8(contract_id + :salt) % 3 = 0",
                salt=next(salts),
            )

    sweeping = asyncio.ensure_future(sweep())
    for seed in range(40):
        wanted = question(seeded(seed))
        params = {**parameters(wanted), "limit": 2 + seed % 9}
        seen = [each for page in await walk(asked, params, "next_cursor") for each in page]
        expected = [each for each in memory.answer(wanted) if each in standing]
        assert [each for each in seen if each in standing] == expected, params
    assert not sweeping.done()
    sweeping.cancel()
    with suppress(asyncio.CancelledError):
        await sweeping
