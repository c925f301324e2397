"""Conditional requests: what has not changed is not sent again, and a 304 is believed only with its body in hand."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from ingestor.esi.cache import ResponseCache
from ingestor.esi.client import Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from support.ingestion import client
from support.scripted_esi import Asked, ScriptedEsi, answer, scripted_esi

PATH = "/markets/prices"
NOON, SOON = "Sun, 01 Nov 2026 12:00:00 GMT", "Sun, 01 Nov 2026 12:30:00 GMT"
ONE = answer([1], ETag='"one"', Date=NOON, Last_Modified=NOON, Expires=NOON)
TWO = answer([2], ETag='W/"two"', Date=NOON, Last_Modified=NOON, Expires=SOON)
SAME = answer(b"", 304, ETag='"one"', Date=NOON, Last_Modified=NOON, Expires=NOON, Content_Length=None)
UNNAMED = answer(b"", 304, Date=NOON, Expires=NOON, Content_Length=None)
OTHER = answer(b"", 304, ETag='"two"', Date=NOON, Last_Modified=NOON, Expires=NOON, Content_Length=None)


async def bodies(engine: AsyncEngine, said: Sequence[bytes], spoil: str = "") -> tuple[list[bytes], ScriptedEsi]:
    """What two readings find when upstream says `said`, one after the other; `spoil` is run between them."""
    answers = iter(said)
    async with scripted_esi(lambda _: next(answers)) as esi, client(esi.url) as upstream:
        cache = ResponseCache(engine, upstream)
        found = [(await cache.get(PATH, traffic=Traffic())).body]
        if spoil:
            async with engine.begin() as connection:
                await connection.execute(text(spoil))
        found.append((await cache.get(PATH, traffic=Traffic())).body)
    return found, esi


def validators(asked: Asked) -> str | None:
    return asked.headers.get("if-none-match")


@pytest.mark.parametrize("confirmation", [SAME, UNNAMED])
async def test_a_304_stands_for_the_body_that_is_kept(engine: AsyncEngine, confirmation: bytes) -> None:
    found, esi = await bodies(engine, [ONE, confirmation])

    assert found == [b"[1]", b"[1]"]
    assert [validators(asked) for asked in esi.asked] == [None, '"one"']


async def test_a_304_that_names_another_body_is_a_lie_and_asked_again_without_validators(engine: AsyncEngine) -> None:
    found, esi = await bodies(engine, [ONE, OTHER, TWO])

    assert found == [b"[1]", b"[2]"]
    assert [validators(asked) for asked in esi.asked] == [None, '"one"', None]


@pytest.mark.parametrize(
    "spoil", ["DELETE FROM upstream_responses", "UPDATE upstream_responses SET body = substring(body FOR 8)"]
)
async def test_validators_whose_body_is_gone_are_not_used(engine: AsyncEngine, spoil: str) -> None:
    found, esi = await bodies(engine, [ONE, TWO], spoil)

    assert found == [b"[1]", b"[2]"]
    assert [validators(asked) for asked in esi.asked] == [None, None]


async def test_a_304_that_nobody_asked_for_is_no_answer(engine: AsyncEngine) -> None:
    async with scripted_esi(lambda _: SAME) as esi, client(esi.url) as upstream:
        with pytest.raises(UpstreamUnavailableError, match="304"):
            await ResponseCache(engine, upstream).get(PATH, traffic=Traffic())


async def test_what_has_not_expired_is_not_asked_for(engine: AsyncEngine) -> None:
    async with scripted_esi(lambda _: TWO) as esi, client(esi.url) as upstream:
        cache = ResponseCache(engine, upstream)
        first = await cache.get(PATH, traffic=Traffic())
        second = await cache.get(PATH, traffic=Traffic())
        third = await cache.get(PATH, traffic=Traffic(), again=True)

    assert (first.changed, second.changed, third.changed) == (True, False, False)
    assert timedelta(minutes=29) < second.fresh_for <= timedelta(minutes=30)
    assert len(esi.asked) == 2


async def test_only_a_body_is_kept(engine: AsyncEngine) -> None:
    async with scripted_esi(lambda _: answer({"error": "no"}, 404, ETag='W/"e"')) as esi, client(esi.url) as upstream:
        for _ in range(2):
            with pytest.raises(UpstreamRefusedError, match="404: no"):
                await ResponseCache(engine, upstream).get(PATH, traffic=Traffic())

    assert [validators(asked) for asked in esi.asked] == [None, None]


async def test_queries_of_one_path_are_kept_apart(engine: AsyncEngine) -> None:
    def script(asked: Asked) -> bytes:
        return answer([asked.target], ETag='"x"', Date=NOON, Last_Modified=NOON, Expires=SOON, X_Pages="2")

    async with scripted_esi(script) as esi, client(esi.url) as upstream:
        cache = ResponseCache(engine, upstream)
        pages = [await cache.get(PATH, params={"page": str(page)}, traffic=Traffic()) for page in (1, 2, 1)]

    assert [page.body for page in pages] == [b'["/markets/prices?page=%d"]' % page for page in (1, 2, 1)]
    assert {page.pages for page in pages} == {2}
