import json
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from api.schemas.contract_detail import ContractBids, ContractDetail
from ingestor.domain.valuation import LARGEST_VALUE, Price, value
from ingestor.esi.models import PublicItem
from ingestor.stores.items import facts_of
from support.market_rows import JITA_STATION, MERLIN, NOW, RIFTER, STRUCTURE, TRITANIUM, MarketRows
from support.served_api import ServedApi

RIFTER_BLUEPRINT, ABYSSAL_WEB, MUTAPLASMID, RELIC = 691, 47702, 47700, 30187
KINDS = (RIFTER, MERLIN, TRITANIUM, RIFTER_BLUEPRINT, ABYSSAL_WEB, MUTAPLASMID)
AMARR_STATION, JITA, AMARR = 60008494, 30000142, 30002187


async def detail(api: ServedApi, contract_id: int = 1) -> ContractDetail:
    """The contract, with nothing missing and nothing that the schema does not know."""
    reply = await api.get(f"/api/v1/contracts/{contract_id}")
    assert reply.status == 200, reply.body
    assert set(reply.content) == set(ContractDetail.model_fields)
    return ContractDetail.model_validate_json(reply.body, extra="forbid")


async def priced(rows: MarketRows, prices: dict[int, Price]) -> None:
    for type_id, price in prices.items():
        await rows.execute(
            "INSERT INTO prices (type_id, buy, sell, average) VALUES (:type_id, :buy, :sell, :average)",
            type_id=type_id,
            **price._asdict(),
        )


async def test_a_contract_shows_what_it_offers_and_what_it_asks_for(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, end_location_id=JITA_STATION, days_to_complete=3)
    await rows.item(1, RIFTER, record_id=2, item_id=77, is_blueprint_copy=True, runs=3, material_efficiency=10)
    await rows.item(1, 9_999_999, record_id=1, quantity=2**40)
    await rows.item(1, TRITANIUM, offered=False)

    contract = await detail(api)

    assert [(item.type_name, item.quantity) for item in contract.items_offered] == [(None, 2**40), ("Rifter", 1)]
    assert [item.type_name for item in contract.items_requested] == ["Tritanium"]
    assert (contract.live, (contract.end_location_name or "")[:4]) == (True, "Jita")


async def test_a_contract_says_where_it_is_and_where_it_ends(api: ServedApi, rows: MarketRows) -> None:
    ends = {"start_location_id": JITA_STATION, "end_location_id": AMARR_STATION}
    places = {"system_id": JITA, "security": "high", "end_system_id": AMARR, "jumps": 9, "jumps_high_security": 45}
    await rows.coverage(swept_at=NOW)
    await rows.contract(1, type="courier", items_state="none", **ends, **places)
    await rows.contract(2, start_location_id=STRUCTURE, end_location_id=STRUCTURE)

    known, unknown = await detail(api, 1), await detail(api, 2)

    assert (known.system_name, known.security, round(known.security_status or 0, 1)) == ("Jita", "high", 0.9)
    assert (known.end_system_name, known.end_security, known.end_region_name) == ("Amarr", "high", "Domain")
    assert (known.jumps, known.jumps_high_security, known.as_of) == (9, 45, NOW)
    assert (unknown.start_location_id, unknown.start_location_name, unknown.system_id) == (STRUCTURE, None, None)
    assert (unknown.security, unknown.end_system_id, unknown.jumps, unknown.links.game) == (None, None, None, None)


def line(dice: Random, number: int) -> dict[str, Any]:
    return {
        "record_id": number,
        "type_id": dice.choice(KINDS),
        "quantity": dice.choice([-1, 0, 1, 7, 10**9, 2**63 - 1]),
        "is_included": dice.random() < 0.7,
        "is_blueprint_copy": dice.choice([None, None, False, True]),
        "runs": dice.choice([None, None, -1, 0, 5]),
    }


def cents(dice: Random) -> Decimal | None:
    return dice.choice([None, Decimal(dice.randint(1, 10**12)) / 100, LARGEST_VALUE])


async def test_every_line_is_worth_what_the_ingestor_says(
    api: ServedApi, rows: MarketRows, engine: AsyncEngine
) -> None:
    dice = Random(4)  # noqa: S311 - the same market every time
    prices = {type_id: Price(cents(dice), cents(dice), cents(dice)) for type_id in KINDS[1:]}
    await priced(rows, prices)
    async with engine.connect() as connection:
        facts = await facts_of(connection, KINDS)
    held = [PublicItem(**line(dice, number)) for number in range(1, 200)]
    await rows.contract(1)
    for item in held:
        columns = {name: getattr(item, name) for name in ("record_id", "quantity", "is_blueprint_copy", "runs")}
        await rows.item(1, item.type_id, offered=item.is_included, **columns)

    shown = json.loads((await api.get("/api/v1/contracts/1")).body, parse_float=Decimal)

    lines = {entry["record_id"]: entry for entry in [*shown["items_offered"], *shown["items_requested"]]}
    for item in held:
        offered = replace(item, is_included=True)
        assert worth_of(lines[item.record_id]) == value([offered], facts, prices)[:3], item
    whys = [entry["unpriced"] for entry in lines.values()]
    assert [why is None for why in whys] == [entry["value"] is not None for entry in lines.values()]
    assert set(whys) == {None, "blueprint_copy", "abyssal", "no_quantity", "no_price"}
    counted = sum(entry["value"] is not None for entry in shown["items_offered"])
    assert counted == value(held, facts, prices).lines_priced > 10


def worth_of(entry: dict[str, Any]) -> tuple[Decimal | None, ...]:
    if entry["value"] is None:
        return None, None, None
    return tuple(entry["value"]["total"][price] for price in ("buy", "sell", "average"))


async def test_a_line_shows_the_price_of_one_piece_and_of_all(api: ServedApi, rows: MarketRows) -> None:
    await priced(rows, {TRITANIUM: Price(Decimal("4.01"), Decimal("4.50"), None)})
    await rows.contract(1)
    await rows.item(1, TRITANIUM, quantity=1000)

    (entry,) = (await api.get("/api/v1/contracts/1")).content["items_offered"]

    assert entry["value"] == {
        "unit": {"buy": 4.01, "sell": 4.5, "average": 4.5},
        "total": {"buy": 4010, "sell": 4500, "average": 4500},
    }


async def test_links_lead_into_the_game_and_to_pictures(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, system_id=JITA, label="Rifter & <b>more</b>")
    await rows.item(1, RIFTER_BLUEPRINT, record_id=1)
    await rows.item(1, RIFTER_BLUEPRINT, record_id=2, is_blueprint_copy=True)
    await rows.item(1, TRITANIUM, record_id=3)
    await rows.item(1, RIFTER, record_id=4)
    await rows.item(1, RELIC, record_id=5)
    await rows.contract(2, system_id=JITA, type="courier", items_state="none")

    fit, courier = await detail(api, 1), await detail(api, 2)

    assert [item.image.rpartition("/types/")[2] for item in fit.items_offered] == [
        "691/bp",
        "691/bpc",
        "34/icon",
        "587/render",
        "30187/relic",
    ]
    assert fit.links.image == "https://images.evetech.net/types/587/render"
    assert fit.links.game == "<url=contract:30000142//1>Rifter &amp; &lt;b&gt;more&lt;/b&gt;</url>"
    assert (courier.links.game, courier.links.image) == ("<url=contract:30000142//2>Contract 2</url>", None)


async def test_an_auction_shows_its_bids_in_brief_and_all_of_them(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, type="auction", price=5, bids_count=2, highest_bid=30)
    await rows.contract(2, type="auction")
    await rows.contract(3)
    for bid_id, amount, minutes in ((1, 10, 9), (2, 30, 3)):
        at = NOW - timedelta(minutes=minutes)
        await rows.execute("INSERT INTO bids VALUES (1, :bid_id, :amount, :at)", bid_id=bid_id, amount=amount, at=at)

    read, unread, exchange = [(await detail(api, contract_id)).bids for contract_id in (1, 2, 3)]
    replies = [await api.get(f"/api/v1/contracts/{contract_id}/bids") for contract_id in (1, 2, 3, 4)]
    lists = [ContractBids.model_validate_json(reply.body, extra="forbid") for reply in replies[:3]]

    assert read is not None
    assert read.model_dump() == {"count": 2, "highest": 30, "latest_at": NOW - timedelta(minutes=3)}
    assert unread is not None
    assert unread.model_dump() == {"count": None, "highest": None, "latest_at": None}
    assert exchange is None
    assert [[bid.bid_id for bid in each.items] for each in lists] == [[2, 1], [], []]
    assert [(each.is_auction, each.count) for each in lists] == [(True, 2), (True, None), (False, None)]
    assert replies[3].status == 404


async def test_an_abyssal_item_shows_its_rolls_and_whether_they_are_known(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    for record_id in (1, 2, 3):
        await rows.item(1, RIFTER, record_id=record_id, item_id=10**12 + record_id)
    await rows.rolls(10**12 + 1, {54: 1.5e4, 20: -61.2}, source_type_id=526, mutator_type_id=47297)
    await rows.rolls(10**12 + 2, {})

    items = (await detail(api)).items_offered

    assert [None if item.dynamic is None else item.dynamic.model_dump() for item in items] == [
        {
            "state": "stored",
            "source_type_id": 526,
            "source_type_name": "Stasis Webifier I",
            "mutator_type_id": 47297,
            "mutator_type_name": "Unstable 50MN Microwarpdrive Mutaplasmid",
            "attributes": [{"attribute_id": 20, "value": -61.2}, {"attribute_id": 54, "value": 15000.0}],
        },
        {
            "state": "wanted",
            "source_type_id": None,
            "source_type_name": None,
            "mutator_type_id": None,
            "mutator_type_name": None,
            "attributes": [],
        },
        None,
    ]


async def test_a_contract_is_still_answered_when_it_is_gone(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, delisted_at=NOW, outcome="unknown")
    await rows.contract(2, date_expired=NOW - timedelta(days=1))

    gone, expired = await detail(api, 1), await detail(api, 2)

    assert (gone.live, gone.outcome) == (False, "unknown")
    assert (expired.live, expired.delisted_at) == (False, None)


async def test_a_contract_of_which_nothing_but_the_list_is_known_is_answered(api: ServedApi, rows: MarketRows) -> None:
    await rows.bare_contract(1)

    contract = await detail(api)

    assert (contract.items_offered, contract.contains_ship, contract.items_state) == ([], None, "wanted")


async def test_a_contract_that_was_never_seen_is_not_found(api: ServedApi) -> None:
    replies = [await api.get(f"/api/v1/contracts/123{of}") for of in ("", "/history", "/bids")]

    assert [reply.status for reply in replies] == [404] * 3
    assert replies[0].content["detail"] == "No contract 123 was ever seen"


@pytest.mark.parametrize("of", ["", "/history", "/bids"])
async def test_an_id_that_no_contract_can_have_is_refused(api: ServedApi, of: str) -> None:
    replies = [await api.get(f"/api/v1/contracts/{wrong}{of}") for wrong in (2**63, 10**400, 0, -1, "x", "1.5", "inf")]

    assert [(reply.status, reply.wrong_fields) for reply in replies] == [(422, ["contract_id"])] * 7
