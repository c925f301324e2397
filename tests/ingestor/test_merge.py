"""A region's list becomes the region's rows."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common.events import ContractChanged, ContractDelisted, ContractListed, ItemsWanted, encode
from ingestor.domain.listing import EMPTY, Page, assemble
from ingestor.esi.models import PublicContract
from ingestor.stores.contracts import SupersededError
from support.ingestion import NOON, REGION, Ingestion, contract, waits_for_a_lock, whole_list

LATER = NOON + timedelta(minutes=30)
LAST = NOON + timedelta(minutes=60)


async def stored(ingestor: Ingestion, contract_id: int) -> Row[Any]:
    return await ingestor.row("SELECT * FROM contracts WHERE contract_id = :id", id=contract_id)


async def versions(ingestor: Ingestion) -> dict[int, str]:
    """PostgreSQL's own mark of the transaction that wrote each row last."""
    return {row.contract_id: row.xmin for row in await ingestor.rows("SELECT contract_id, xmin FROM contracts")}


async def test_new_changed_unchanged_and_delisted_add_up_and_each_is_told_once(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1), contract(2), contract(3)))
    await offline.take(ContractListed)

    merged = await offline.merge(
        whole_list(contract(2), contract(3, price=Decimal(7)), contract(4), contract(5), at=LATER, rejected=0)
    )

    assert merged.counts == {
        "fetched": 4,
        "listed": 2,
        "changed": 1,
        "unchanged": 1,
        "rejected": 0,
        "delisted": 1,
        "items_wanted": 2,
    }
    assert [event.contract_id for event in await offline.sent(ContractListed)] == [4, 5]
    (changed,) = await offline.sent(ContractChanged)
    assert (changed.contract_id, changed.price, changed.relisted) == (3, Decimal(7), False)
    (gone,) = await offline.sent(ContractDelisted)
    assert (gone.contract_id, gone.outcome, gone.generation) == (1, "unknown", LATER)


async def test_a_second_merge_of_the_same_list_writes_no_contract_and_tells_nothing(offline: Ingestion) -> None:
    listing = whole_list(*(contract(number, type="auction", buyout=Decimal("0.1")) for number in range(1, 50)))
    await offline.merge(listing)
    before, told = await versions(offline), await offline.value("SELECT count(*) FROM outbox")

    merged = await offline.merge(listing)

    assert merged.counts["unchanged"] == merged.counts["fetched"] == 49
    assert await versions(offline) == before
    assert await offline.value("SELECT count(*) FROM outbox") == told


async def test_noise_behind_the_cents_is_no_change(offline: Ingestion) -> None:
    row = contract(1, price=Decimal("1.005"), volume=2.1699999999999986)
    await offline.merge(whole_list(row))

    merged = await offline.merge(whole_list(row, at=LATER))

    assert merged.counts["unchanged"] == 1


@pytest.mark.parametrize("flaw", ["the pages overlap", "some rows could not be read", "the list is empty"])
async def test_a_contract_missing_from_a_list_with_a_flaw_stays_live(offline: Ingestion, flaw: str) -> None:
    await offline.merge(whole_list(contract(1), contract(2)))

    rows = () if flaw == "the list is empty" else (contract(2),)
    merged = await offline.merge(whole_list(*rows, at=LATER, flaw=flaw))

    assert merged.counts["delisted"] == 0
    assert (await stored(offline, 1)).delisted_at is None
    assert await offline.sent(ContractDelisted) == []
    coverage = await offline.row("SELECT * FROM coverage")
    assert (coverage.generation, coverage.complete_generation) == (LATER, NOON)


async def test_a_region_that_is_truly_empty_is_covered_and_one_that_only_seems_so_is_not(offline: Ingestion) -> None:
    truly = await offline.merge(whole_list(flaw=EMPTY))
    await offline.merge(whole_list(contract(1), at=LATER))
    seemingly = await offline.merge(whole_list(at=LAST, flaw=EMPTY))

    assert (truly.flaw, seemingly.flaw) == (None, EMPTY)
    assert (await stored(offline, 1)).delisted_at is None
    assert await offline.value("SELECT complete_generation FROM coverage") == LATER


async def test_an_empty_page_hides_nothing(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1)))

    await offline.merge(assemble(REGION, [Page(LATER, timedelta(0), 1, ())]))

    assert (await stored(offline, 1)).delisted_at is None


async def test_what_a_complete_newer_list_no_longer_holds_is_delisted_with_its_outcome(offline: Ingestion) -> None:
    expired = contract(1, date_expired=LATER - timedelta(minutes=1))
    auction = contract(2, type="auction", date_expired=LATER - timedelta(minutes=1))
    elsewhere = whole_list(contract(4), region_id=REGION + 1)
    await offline.merge(whole_list(expired, auction, contract(3), contract(5)))
    await offline.merge(elsewhere)

    await offline.merge(whole_list(contract(5), at=LATER))

    outcomes = await offline.rows("SELECT contract_id, delisted_at IS NOT NULL, outcome FROM contracts ORDER BY 1")
    assert [tuple(row) for row in outcomes] == [
        (1, True, "expired"),
        (2, True, "unknown"),
        (3, True, "unknown"),
        (4, False, None),
        (5, False, None),
    ]


async def test_an_older_generation_is_superseded_and_changes_nothing(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1), at=LATER))
    before, told = await versions(offline), await offline.value("SELECT count(*) FROM outbox")

    with pytest.raises(SupersededError):
        await offline.merge(whole_list(contract(2), at=NOON))

    assert await versions(offline) == before
    assert await offline.value("SELECT count(*) FROM outbox") == told
    assert await offline.value("SELECT count(*) FROM sweeps") == 1


async def test_a_relisted_contract_comes_back_and_is_told_as_changed(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1), contract(2)))
    await offline.merge(whole_list(contract(2), at=LATER))

    await offline.merge(whole_list(contract(1), contract(2), at=LAST))

    back = await stored(offline, 1)
    assert (back.delisted_at, back.outcome) == (None, None)
    (changed,) = await offline.sent(ContractChanged)
    assert (changed.contract_id, changed.relisted) == (1, True)
    assert len(await offline.sent(ContractListed)) == 2


async def test_an_auctions_drifting_end_is_kept_at_its_latest_and_told_to_nobody(offline: Ingestion) -> None:
    auction = contract(1, type="auction")
    later, earlier = (replace_end(auction, minutes) for minutes in (90, -30))
    await offline.merge(whole_list(auction))

    await offline.merge(whole_list(later, at=LATER))
    await offline.merge(whole_list(earlier, at=LAST))

    assert (await stored(offline, 1)).date_expired == later.date_expired
    assert await offline.sent(ContractChanged) == []


async def test_an_exchange_that_ends_at_another_time_is_changed(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1)))

    await offline.merge(whole_list(replace_end(contract(1), 30), at=LATER))

    (changed,) = await offline.sent(ContractChanged)
    assert changed.date_expired == contract(1).date_expired + timedelta(minutes=30)


def replace_end(row: PublicContract, minutes: int) -> PublicContract:
    return contract(row.contract_id, type=row.type, date_expired=row.date_expired + timedelta(minutes=minutes))


async def test_a_contract_without_any_optional_field_is_stored_and_told(offline: Ingestion) -> None:
    bare = PublicContract(1, "item_exchange", NOON, LAST, 90000001, 98000001)

    await offline.merge(whole_list(bare))
    await offline.merge(whole_list(bare, at=LATER))

    row = await stored(offline, 1)
    assert (row.price, row.title, row.volume, row.start_location_id) == (None, None, None, None)
    (told,) = await offline.sent(ContractListed)
    assert (told.price, told.title) == (None, None)


async def test_a_title_with_a_null_character_is_stored_without_it(offline: Ingestion) -> None:
    row = contract(1, title="cheap\x00 ships ✨ \ufffd")

    await offline.merge(whole_list(row))
    merged = await offline.merge(whole_list(row, at=LATER))

    assert (await stored(offline, 1)).title == "cheap ships ✨ \ufffd"
    assert merged.counts["unchanged"] == 1


async def test_the_largest_and_strangest_amounts_that_are_accepted_are_stored(offline: Ingestion) -> None:
    amounts = [Decimal(10) ** 18 - 1, Decimal("-0.004"), Decimal("1e-100"), Decimal("1E+17"), Decimal("0E+20")]

    await offline.merge(whole_list(*(contract(place, price=amount) for place, amount in enumerate(amounts, 1))))

    prices = [row.price for row in await offline.rows("SELECT price FROM contracts ORDER BY contract_id")]
    assert prices == [Decimal(10) ** 18 - 1, 0, 0, 10**17, 0]


async def test_a_type_that_nobody_knows_is_kept_as_unknown_and_its_items_are_not_asked_for(offline: Ingestion) -> None:
    merged = await offline.merge(whole_list(contract(1, type="barter"), contract(2, type="courier"), contract(3)))

    states = await offline.rows("SELECT type, items_state FROM contracts ORDER BY contract_id")
    assert [tuple(row) for row in states] == [("unknown", "none"), ("courier", "none"), ("item_exchange", "wanted")]
    assert merged.at_once == (3,)


async def test_seeing_a_contract_again_resets_nothing_that_its_items_told(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1)))
    await offline.execute(
        "UPDATE contracts SET items_state = 'stored', items_due_at = NULL, label = 'Rifter', composition = 'single',"
        " contains_ship = true, items_offered = 1, items_requested = 0, enrichment_version = 1, runs = 3"
    )
    before = await stored(offline, 1)

    await offline.merge(whole_list(contract(1, price=Decimal(1), title="new"), at=LATER))
    await offline.merge(whole_list(contract(2), at=LAST))
    await offline.merge(whole_list(contract(1, price=Decimal(1), title="new"), at=LAST + timedelta(minutes=30)))

    after = await stored(offline, 1)
    face = {"price", "title"}
    assert {name for name in before._fields if getattr(before, name) != getattr(after, name)} == face
    assert await offline.value("SELECT items_state FROM contracts WHERE contract_id = 1") == "stored"


async def test_the_same_contract_on_two_pages_is_one_row_and_one_event(offline: Ingestion) -> None:
    page = Page(NOON, timedelta(0), 2, (contract(1), contract(2)))
    listing = assemble(REGION, [page, replace(page, rows=(contract(2, price=Decimal(9)), contract(3)))])

    merged = await offline.merge(listing)

    assert (merged.counts["fetched"], merged.counts["listed"]) == (3, 3)
    assert [event.contract_id for event in await offline.sent(ContractListed)] == [1, 2, 3]


async def test_whoever_issues_a_contract_is_remembered_until_named(offline: Ingestion) -> None:
    first = await offline.merge(whole_list(contract(1), contract(2)))
    await offline.execute("UPDATE names SET name = 'Known', due_at = NULL")

    second = await offline.merge(whole_list(contract(1), contract(2), contract(3), at=LATER))

    assert (first.unseen_names, second.unseen_names) == (3, 1)
    assert await offline.value("SELECT count(*) FROM names WHERE name = 'Known'") == 3


async def noted(ingestor: Ingestion) -> list[tuple[Any, ...]]:
    """What is kept of changes, in the order in which they happened."""
    kept = await ingestor.rows("SELECT contract_id, change, details FROM contract_changes ORDER BY changed_at")
    return [tuple(row) for row in kept]


async def test_what_happens_to_a_contract_is_kept_as_it_was_told(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1), contract(2)))
    before = await noted(offline)
    await offline.merge(whole_list(contract(2, price=Decimal("7.5")), at=LATER))
    await offline.merge(whole_list(contract(1), contract(2, price=Decimal("7.5")), at=LAST))

    changed, relisted = await offline.sent(ContractChanged)
    (gone,) = await offline.sent(ContractDelisted)
    told = {(2, "changed"): changed, (1, "delisted"): gone, (1, "relisted"): relisted}
    kept = {(contract_id, change): details for contract_id, change, details in await noted(offline)}
    assert before == []
    assert kept == {key: msgspec.json.decode(encode(event)) for key, event in told.items()}


async def test_a_sweep_that_changed_nothing_keeps_nothing(offline: Ingestion) -> None:
    auction = contract(2, type="auction")
    await offline.merge(whole_list(contract(1), auction))

    await offline.merge(whole_list(contract(1), replace_end(auction, 90), at=LATER))
    await offline.merge(whole_list(contract(1), at=LAST, flaw="the pages overlap"))

    assert await noted(offline) == []


async def test_rows_that_a_merge_writes_are_locked_in_one_order_whatever_becomes_of_them(
    offline: Ingestion, engine: AsyncEngine
) -> None:
    await offline.merge(whole_list(*(contract(number) for number in range(1, 7))))
    later = whole_list(contract(2), contract(3), contract(4, price=Decimal(7)), contract(5), contract(6), at=LATER)
    async with engine.connect() as items:  # as whoever stores items: in the order of ids
        await items.execute(text("SELECT FROM contracts WHERE contract_id = 1 FOR UPDATE"))
        merging = asyncio.create_task(offline.merge(later))
        await waits_for_a_lock(offline)

        await items.execute(text("SELECT FROM contracts WHERE contract_id BETWEEN 2 AND 6 FOR UPDATE NOWAIT"))
        await items.rollback()

        assert (await merging).counts["changed"] == 1
    assert (await stored(offline, 1)).delisted_at is not None


async def test_two_merges_of_one_region_at_once_take_turns(offline: Ingestion) -> None:
    listings = [whole_list(*(contract(number) for number in range(1, 200)))] * 4

    merged = await asyncio.gather(*(offline.merge(listing) for listing in listings))

    assert sorted(found.counts["listed"] for found in merged) == [0, 0, 0, 199]
    assert len(await offline.sent(ContractListed)) == 199


async def test_more_contracts_than_a_statement_has_parameters_are_merged_at_once(offline: Ingestion) -> None:
    rows = [contract(number) for number in range(1, 46_001)]

    merged = await offline.merge(whole_list(*rows))
    gone = await offline.merge(whole_list(rows[0], at=LATER))

    assert merged.counts["listed"] == merged.counts["items_wanted"] == 46_000
    assert gone.counts["delisted"] == 45_999
    asked = [number for event in await offline.sent(ItemsWanted) for number in event.contract_ids]
    assert asked == list(range(1, 46_001))
