"""What is bid on auctions, read while they are live."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import ContractBid, Dataset, IngestRequested
from common.ids import new_id
from ingestor.datasets.bids import AT_ONCE, ERRORS_PER_MINUTE
from support.ingestion import REGION, Ingestion, contract, ingestion, whole_list
from support.scripted_esi import Asked, answer, listed, scripted_esi
from support.simulated_esi import SimulatedEsi

FUTURE = timedelta(days=3650)
FIRST = {"bid_id": 1, "amount": 15000000.0, "date_bid": "2026-10-31T08:11:31Z"}
HIGHER = {"bid_id": 2, "amount": 15500000.55, "date_bid": "2026-10-31T09:00:00Z"}


async def auctioned(ingestor: Ingestion, *contract_ids: int) -> None:
    ends = contract(1).date_expired + FUTURE
    rows = [contract(number, type="auction", date_expired=ends) for number in contract_ids]
    await ingestor.merge(whole_list(*rows, contract(10**9, date_expired=ends)))


async def ask(ingestor: Ingestion) -> str:
    """A run, delivered twice, in a minute of its own; its state."""
    await ingestor.execute("UPDATE runs SET finished_at = finished_at - interval '61 seconds'")
    run_id = new_id()
    await ingestor.deliver(IngestRequested(dataset=Dataset.BIDS, run_id=run_id))
    return str((await ingestor.run(run_id)).state)


async def ask_again(ingestor: Ingestion) -> str:
    """The same, after five minutes and upstream's cache are over."""
    await ingestor.execute("UPDATE contracts SET bids_due_at = now() WHERE bids_due_at IS NOT NULL")
    await ingestor.execute("UPDATE upstream_responses SET expires_at = now()")
    return await ask(ingestor)


def bids_of(replies: Callable[[int], Any]) -> Callable[[Asked], bytes]:
    def script(asked: Asked) -> bytes:
        number = int(asked.target.rsplit("/", 1)[1].partition("?")[0])
        said = replies(number)
        return said if isinstance(said, bytes) else listed(said)

    return script


async def test_a_bid_is_stored_and_told_once_in_its_order(engine: AsyncEngine) -> None:
    said = [[FIRST], [HIGHER, FIRST], [HIGHER]]
    async with scripted_esi(bids_of(lambda _: said[0])) as esi, ingestion(engine, esi.url) as ingestor:
        await auctioned(ingestor, 1)

        assert await ask(ingestor) == "succeeded"
        assert [bid.bid_id for bid in await ingestor.sent(ContractBid)] == [1]
        del said[0]
        assert await ask_again(ingestor) == "succeeded"
        del said[0]
        assert await ask_again(ingestor) == "succeeded"

        events = await ingestor.sent(ContractBid)
        assert [(bid.contract_id, bid.region_id, bid.bid_id) for bid in events] == [(1, REGION, 1), (1, REGION, 2)]
        row = await ingestor.row("SELECT bids_count, highest_bid FROM contracts WHERE contract_id = 1")
        assert (row.bids_count, float(row.highest_bid)) == (2, 15500000.55)
        assert await ingestor.value("SELECT count(*) FROM bids") == 2


async def test_an_auction_is_read_every_five_minutes_at_most_and_only_while_it_is_live(engine: AsyncEngine) -> None:
    async with scripted_esi(bids_of(lambda _: [])) as esi, ingestion(engine, esi.url) as ingestor:
        await auctioned(ingestor, 1, 2, 3)
        await ingestor.execute("UPDATE contracts SET date_expired = now() WHERE contract_id = 2")
        await ingestor.execute("UPDATE contracts SET delisted_at = now() WHERE contract_id = 3")

        assert [await ask(ingestor), await ask(ingestor)] == ["succeeded", "skipped"]

        assert esi.targets() == ["/contracts/public/bids/1"]
        row = await ingestor.row(
            "SELECT bids_count, highest_bid, bids_due_at - now() AS after FROM contracts WHERE contract_id = 1"
        )
        assert (row.bids_count, row.highest_bid) == (0, None)
        assert timedelta(minutes=4) < row.after <= timedelta(minutes=5)


async def test_an_answer_without_bids_takes_nothing_away_and_delists_nothing(engine: AsyncEngine) -> None:
    worthless = [
        answer(b"", status=204),
        answer({"error": "Contract not public"}, status=403),
        answer({"error": "Contract not found"}, status=404),
        listed(b"<html>"),
        listed({"bids": []}),
        listed([]),
    ]
    replies: list[Callable[[int], Any]] = [lambda _: [FIRST], lambda number: worthless[number - 1]]
    async with scripted_esi(bids_of(lambda number: replies[0](number))) as esi, ingestion(engine, esi.url) as ingestor:
        await auctioned(ingestor, *range(1, len(worthless) + 1))
        await ask(ingestor)
        del replies[0]

        await ask_again(ingestor)

        rows = await ingestor.rows("SELECT *, bids_due_at > now() AS later FROM contracts WHERE type = 'auction'")
        assert [(row.bids_count, row.delisted_at, row.later) for row in rows] == [(1, None, True)] * len(worthless)
        assert await ingestor.value("SELECT count(*) FROM bids") == len(worthless)


async def test_all_pages_are_read_and_a_304_stands_for_what_is_kept(engine: AsyncEngine) -> None:
    def script(asked: Asked) -> bytes:
        number = 2 if "page=2" in asked.target else 1
        if asked.headers.get("if-none-match") == f'"{number}"':
            return answer(b"", status=304, ETag=f'"{number}"')
        return listed([FIRST] if number == 1 else [HIGHER], X_Pages="2", ETag=f'"{number}"')

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await auctioned(ingestor, 1)
        await ask(ingestor)

        await ingestor.execute("DELETE FROM bids")
        assert await ask_again(ingestor) == "succeeded"

        assert [asked.target for asked in esi.asked] == [
            "/contracts/public/bids/1",
            "/contracts/public/bids/1?page=2",
        ] * 2
        assert await ingestor.value("SELECT count(*) FROM bids") == 2


async def test_refusals_cost_a_part_of_the_error_budget_and_no_more(engine: AsyncEngine) -> None:
    refused = answer({"error": "Contract not found"}, status=404)
    async with scripted_esi(bids_of(lambda _: refused)) as esi, ingestion(engine, esi.url) as ingestor:
        await auctioned(ingestor, *range(1, 40))

        assert await ask(ingestor) == "partial"
        run_id = new_id()
        await ingestor.deliver(IngestRequested(dataset=Dataset.BIDS, run_id=run_id))

        assert (await ingestor.run(run_id)).state == "skipped"
        assert len(esi.asked) == ERRORS_PER_MINUTE


async def test_what_was_read_before_upstream_went_away_is_kept(engine: AsyncEngine) -> None:
    down, last = answer({"error": "error limited"}, status=420), AT_ONCE + 1
    async with (
        scripted_esi(bids_of(lambda number: down if number == last else [FIRST])) as esi,
        ingestion(engine, esi.url) as ingestor,
    ):
        await auctioned(ingestor, *range(1, last + 1))

        assert await ask(ingestor) == "partial"

        # The last one is asked for when one of the others was answered, and what was under way by then is answered too.
        answered = {int(target.rpartition("/")[2]) for target in esi.targets()} - {last}
        kept = await ingestor.rows("SELECT contract_id FROM contracts WHERE bids_count = 1")
        assert {row.contract_id for row in kept} == answered != set()


async def test_the_bids_of_a_market_are_all_known(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    truth = esi.get(f"/_simulator/truth/{REGION}?rows=1&bids=1").content
    auctions = [row["contract_id"] for row in truth["rows"] if row["type"] == "auction"]
    await auctioned(ingestor, *auctions)

    assert await ask(ingestor) == "succeeded"

    stored = await ingestor.rows("SELECT contract_id, bids_count FROM contracts WHERE type = 'auction'")
    asked = {number: len(esi.get(f"/contracts/public/bids/{number}").content) for number in auctions}
    assert dict(tuple(row) for row in stored) == asked
    assert len(await ingestor.sent(ContractBid)) == sum(asked.values()) > 0
