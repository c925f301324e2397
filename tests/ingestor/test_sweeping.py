"""Sweep after sweep of one region: only what differs is read and stored, and only what is proved is concluded."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import ContractDelisted, Dataset, IngestRequested, Scope
from common.ids import new_id
from support.ingestion import REGION, Ingestion, ingestion
from support.scripted_esi import Asked, ScriptedEsi, answer, scripted_esi

PAGE = 3
FIRST = datetime(2026, 11, 1, 12, tzinfo=UTC)
ITEM = {"record_id": 1, "type_id": 34, "quantity": 1, "is_included": True}


@dataclass
class Market:
    """A list in pages of three, each with an ETag; `told` are the statuses given. Every contract has items."""

    ids: list[int]
    now: datetime = FIRST
    pages: list[list[int]] = field(default_factory=list)
    prices: dict[int, float] = field(default_factory=dict)
    told: list[int] = field(default_factory=list)
    status_past_the_end: int = 404

    def later(self, minutes: int = 30) -> None:
        self.now += timedelta(minutes=minutes)
        self.told.clear()

    def __call__(self, asked: Asked) -> bytes:
        if "/items/" in asked.target:
            return answer([ITEM], X_Pages="1")
        number = int(asked.target.partition("page=")[2] or 1)
        pages = self.pages or [self.ids[start : start + PAGE] for start in range(0, len(self.ids), PAGE)]
        said = self._page(pages, number, asked.headers.get("if-none-match"))
        self.told.append(int(said.split(b" ", 2)[1]))
        return said

    def _page(self, pages: list[list[int]], number: int, known: str | None) -> bytes:
        if number > len(pages):
            words = {404: "Requested page does not exist!"}
            told = words.get(self.status_past_the_end, f"Undefined 404 response. Original message: {words[404]}")
            return answer({"error": told}, self.status_past_the_end)
        rows = [self._row(contract_id) for contract_id in pages[number - 1]]
        etag = f'"{sha256(repr(rows).encode()).hexdigest()[:20]}"'
        stamp, expires = (format_datetime(at, usegmt=True) for at in (self.now, self.now + timedelta(minutes=30)))
        named: dict[str, Any] = {
            "ETag": etag,
            "Last_Modified": stamp,
            "Date": stamp,
            "Expires": expires,
            "X_Pages": str(len(pages)),
        }
        if known == etag:
            return answer(b"", 304, **named, Content_Length=None)
        return answer(rows, **named)

    def _row(self, contract_id: int) -> dict[str, Any]:
        return {
            "contract_id": contract_id,
            "type": "item_exchange",
            "date_issued": "2026-10-31T12:00:00Z",
            "date_expired": "2026-12-28T12:00:00Z",
            "issuer_id": 90000001,
            "issuer_corporation_id": 98000001,
            "price": self.prices.get(contract_id, 5.0),
        }


async def sweep(ingestor: Ingestion) -> UUID:
    """One sweep by command; its run."""
    run_id = new_id()
    await ingestor.deliver(command(run_id))
    return run_id


def command(run_id: UUID) -> IngestRequested:
    return IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=REGION), run_id=run_id, force=True)


async def live(ingestor: Ingestion) -> list[int]:
    rows = await ingestor.rows("SELECT contract_id FROM contracts WHERE delisted_at IS NULL ORDER BY 1")
    return [row.contract_id for row in rows]


async def versions(ingestor: Ingestion) -> list[tuple[Any, ...]]:
    """PostgreSQL's own mark of who wrote each row last."""
    return [tuple(row) for row in await ingestor.rows("SELECT contract_id, xmin::text FROM contracts ORDER BY 1")]


@pytest.fixture
def market() -> Market:
    return Market(list(range(1, 11)))


async def test_an_unchanged_list_is_not_sent_again_and_not_one_row_is_written(
    engine: AsyncEngine, market: Market
) -> None:
    async with scripted_esi(market) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor)
        before = await versions(ingestor)
        market.later()
        run = await ingestor.run(await sweep(ingestor))

        assert market.told == [304] * 4
        assert await versions(ingestor) == before
        assert (run.state, run.fetched, run.unchanged, run.delisted) == ("succeeded", 10, 10, 0)
        covered = await ingestor.row("SELECT generation, complete_generation FROM coverage")
        assert covered.generation == covered.complete_generation == market.now


async def test_only_what_differs_is_written(engine: AsyncEngine, market: Market) -> None:
    async with scripted_esi(market) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor)
        before = dict(await versions(ingestor))
        market.later()
        market.ids = [1, *range(3, 13)]
        market.prices[5] = 7.5
        run = await ingestor.run(await sweep(ingestor))

        assert await live(ingestor) == market.ids
        assert (run.listed, run.changed, run.unchanged, run.delisted) == (2, 1, 8, 1)
        after = dict(await versions(ingestor))
        assert {number for number in before if before[number] != after[number]} == {2, 5}
        assert await ingestor.value("SELECT price FROM contracts WHERE contract_id = 5") == 7.5


async def test_a_first_page_that_is_unchanged_says_nothing_of_the_last(engine: AsyncEngine, market: Market) -> None:
    async with scripted_esi(market) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor)
        market.later()
        market.ids.append(11)
        await sweep(ingestor)

        assert market.told == [304, 304, 304, 200]
        assert await live(ingestor) == market.ids


async def test_a_process_that_remembers_nothing_goes_by_what_the_database_keeps(
    engine: AsyncEngine, market: Market
) -> None:
    async with scripted_esi(market) as esi:
        async with ingestion(engine, esi.url) as ingestor:
            await sweep(ingestor)
        market.later()
        market.ids = market.ids[:-1]
        async with ingestion(engine, esi.url) as ingestor:
            run = await ingestor.run(await sweep(ingestor))

            assert (run.unchanged, run.delisted) == (9, 1)
            assert await live(ingestor) == market.ids
    assert len(_conditional(esi)) == 3


async def test_a_page_whose_kept_body_is_gone_is_read_anew(engine: AsyncEngine, market: Market) -> None:
    async with scripted_esi(market) as esi:
        async with ingestion(engine, esi.url) as ingestor:
            await sweep(ingestor)
            await ingestor.execute("UPDATE upstream_responses SET body = ''")
        market.later()
        async with ingestion(engine, esi.url) as ingestor:
            run = await ingestor.run(await sweep(ingestor))

            assert (run.fetched, run.unchanged, run.delisted) == (10, 10, 0)
            assert await live(ingestor) == market.ids
    assert sorted(market.told) == [200] * 4 + [304] * 4


async def test_a_difference_to_what_another_replica_has_replaced_is_not_stored(
    engine: AsyncEngine, market: Market
) -> None:
    async with (
        scripted_esi(market) as esi,
        ingestion(engine, esi.url) as one,
        ingestion(engine, esi.url) as other,
    ):
        await sweep(one)
        market.later()
        market.ids = market.ids[1:]
        await sweep(other)
        market.later()
        market.ids = [1, *market.ids]
        run_id = await sweep(one)

        assert (await one.run(run_id)).state == "queued"
        assert await live(one) == market.ids[1:]
        await one.deliver(command(run_id))
        assert await live(one) == market.ids
        assert (await one.run(run_id)).state == "succeeded"


async def test_what_may_have_slipped_between_two_pages_is_gone_only_when_it_is_absent_again(
    engine: AsyncEngine, market: Market
) -> None:
    async with scripted_esi(market) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor)
        market.later()
        market.pages = [[1, 2, 3], [5, 6, 7], [8, 9, 10]]
        first = await ingestor.run(await sweep(ingestor))
        hidden = await live(ingestor)
        again = await ingestor.run(await sweep(ingestor))  # of the same generation: no new evidence
        market.later()
        last = await ingestor.run(await sweep(ingestor))

        assert hidden == list(range(1, 11))
        assert (first.delisted, again.delisted, last.delisted) == (0, 0, 1)
        assert await live(ingestor) == [1, 2, 3, 5, 6, 7, 8, 9, 10]
        assert [event.contract_id for event in await ingestor.sent(ContractDelisted)] == [4]


async def test_what_had_slipped_and_is_found_again_is_forgotten_to_have_been_absent(
    engine: AsyncEngine, market: Market
) -> None:
    async with scripted_esi(market) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor)
        for _ in range(2):
            market.later()
            market.pages = [[1, 2, 3], [5, 6, 7], [8, 9, 10]]
            await sweep(ingestor)
            market.later()
            market.pages = []
            await sweep(ingestor)

        assert await live(ingestor) == market.ids
        assert await ingestor.value("SELECT count(*) FROM contracts WHERE missing_since IS NOT NULL") == 0


async def test_a_sheared_list_hides_nothing_and_what_it_shows_is_stored(engine: AsyncEngine, market: Market) -> None:
    async with scripted_esi(market) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor)
        market.later()
        market.pages = [[1, 2, 3], [3, 5, 6], [8, 9, 10], [11]]
        run = await ingestor.run(await sweep(ingestor))

        assert (run.state, run.reason, run.delisted) == ("partial", "the pages overlap", 0)
        assert await live(ingestor) == list(range(1, 12))
        market.later()
        market.pages = []
        run = await ingestor.run(await sweep(ingestor))
        assert run.delisted == 1
        assert await live(ingestor) == market.ids


@pytest.mark.parametrize("status", [404, 500])
async def test_a_last_page_that_vanishes_while_others_are_read_means_another_generation(
    engine: AsyncEngine, market: Market, status: int
) -> None:
    market.status_past_the_end = status
    vanished = False

    def script(asked: Asked) -> bytes:
        nonlocal vanished
        if asked.target.endswith("page=2") and not vanished:
            vanished, market.ids = True, market.ids[:-1]
        return market(asked)

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        run = await ingestor.run(await sweep(ingestor))

        assert run.state == "succeeded"
        assert await live(ingestor) == market.ids


async def test_a_few_new_contracts_have_their_items_at_once_and_nobody_else_is_asked_for_them(
    engine: AsyncEngine, market: Market
) -> None:
    async with scripted_esi(market) as esi, ingestion(engine, esi.url) as ingestor:
        run = await ingestor.run(await sweep(ingestor))

        assert (run.state, run.items_wanted, run.items_done) == ("succeeded", 10, 10)
        assert await ingestor.value("SELECT count(*) FROM contract_items") == 10
        assert await ingestor.value("SELECT count(*) FROM outbox WHERE topic = 'freeport.ingest.items.v1'") == 0


def _conditional(esi: ScriptedEsi) -> list[Asked]:
    return [asked for asked in esi.asked if "if-none-match" in asked.headers]
