"""What is worth more than it costs, and what only looks so."""

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from api.schemas.deals import DealPage, DealQuery
from common.tables.contracts import CATEGORY_FACET
from support.market_rows import DOMAIN, NOW, RIFTER, THE_FORGE, MarketRows
from support.served_api import ServedApi

DEALS = "/api/v1/contracts/deals"
SHIP, SKIN, JITA = 6, 91, 30000142
MILLION = 10**6
GOOD: dict[str, Any] = {
    "price": 60 * MILLION,
    "value_buy": 80 * MILLION,
    "value_sell": 100 * MILLION,
    "value_average": 110 * MILLION,
    "value_lines": 2,
    "value_lines_priced": 2,
    "items_offered": 2,
    "items_requested": 0,
    "volume": 50,
    "packaged_volume": 50,
    "system_id": JITA,
    "security": "high",
    "facets": [RIFTER, CATEGORY_FACET + SHIP],
}


async def deals(api: ServedApi, **params: Any) -> DealPage:
    reply = await api.get(DEALS, params=params)
    assert reply.status == 200, reply.body
    return DealPage.model_validate_json(reply.body, extra="forbid")


async def listed(api: ServedApi, **params: Any) -> list[int]:
    return [deal.contract_id for deal in (await deals(api, **params)).items]


async def test_the_cheapest_for_its_worth_comes_first_and_says_why(api: ServedApi, rows: MarketRows) -> None:
    await rows.coverage()
    await rows.contract(1, **GOOD)
    await rows.contract(2, **{**GOOD, "price": 50 * MILLION, "value_average": 90 * MILLION})
    await rows.contract(3, **{**GOOD, "price": 99 * MILLION})

    page = await deals(api)

    assert [(deal.contract_id, round(deal.ratio, 3)) for deal in page.items] == [(2, 0.556), (1, 0.6), (3, 0.99)]
    second = page.items[1]
    assert (second.worth, second.profit, second.profit_at_once) == tuple(Decimal(n * MILLION) for n in (100, 40, 20))
    assert second.why == (
        "Costs 60.0 % of what it is worth, 40,000,000.00 ISK less than the lower of Jita's sell orders and the average"
        " of New Eden"
    )
    assert (second.uncertain, page.as_of) == ([], NOW)


TRAPS: dict[str, dict[str, Any]] = {
    "sell orders far above the average": {"value_sell": 200 * MILLION},
    "hardly a bid": {"value_buy": 24 * MILLION},
    "no bid": {"value_buy": None},
    "too cheap to be true": {"price": 9 * MILLION},
    "nothing to pay": {"price": 0},
    "no price": {"price": None},
    "zero volume": {"volume": 0},
    "no volume": {"volume": None},
    "too little to fly for": {"price": 100 * MILLION - 999_999},
    "asks for something in return": {"items_requested": 1},
    "pays on top": {"reward": 1},
    "its items are not known": {"value_sell": None, "value_average": None, "items_requested": None},
    "a line without a price": {"value_lines_priced": 1},
    "an auction, which is not over": {"type": "auction"},
    "expired": {"date_expired": NOW - timedelta(seconds=1)},
    "gone": {"delisted_at": NOW},
}


@pytest.mark.parametrize("trap", TRAPS)
async def test_what_only_looks_cheap_is_no_deal(api: ServedApi, rows: MarketRows, trap: str) -> None:
    await rows.contract(1, **GOOD)
    await rows.contract(2, **{**GOOD, "price": 50 * MILLION, **TRAPS[trap]})

    assert await listed(api) == [1]


async def test_each_filter_keeps_what_it_says(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, **GOOD)
    await rows.contract(2, **{**GOOD, "region_id": DOMAIN, "security": "low", "facets": [CATEGORY_FACET + SKIN]})
    await rows.contract(3, **{**GOOD, "price": 90 * MILLION, "value_lines_priced": 1})

    expected: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [1, 2]),
        ({"region_id": DOMAIN}, [2]),
        ({"region_id": [DOMAIN, THE_FORGE]}, [1, 2]),
        ({"security": "high"}, [1]),
        ({"category_id": SHIP}, [1]),
        ({"min_coverage": 0.5}, [1, 2, 3]),
        ({"min_coverage": 0.5, "min_profit": 10_000_001}, [1, 2]),
        ({"price_max": 59_999_999.99}, []),
    ]

    assert [(filters, await listed(api, **filters)) for filters, _ in expected] == expected
    assert {name for filters, _ in expected for name in filters} == set(DealQuery.model_fields) - {"limit", "cursor"}


async def test_a_deal_says_what_may_be_wrong_with_it(api: ServedApi, rows: MarketRows) -> None:
    await rows.execute("INSERT INTO prices (type_id, buy, sell, average) VALUES (587, 1, 2, NULL)")
    await rows.contract(1, **{**GOOD, "value_lines_priced": 1})
    await rows.contract(2, **GOOD)
    await rows.item(2, RIFTER)
    await rows.contract(3, **{**GOOD, "value_buy": 49 * MILLION})
    await rows.contract(4, **{**GOOD, "volume": 500})
    await rows.contract(5, **{**GOOD, "packaged_volume": None})
    await rows.contract(6, **{**GOOD, "facets": [CATEGORY_FACET + SKIN]})
    await rows.contract(7, **{**GOOD, "system_id": None, "security": None})

    page = await deals(api, min_coverage=0.5)

    assert [deal.uncertain for deal in page.items] == [
        ["partly_priced"],
        ["one_price"],
        ["low_bids"],
        ["assembled"],
        ["assembled"],
        ["skin"],
        ["structure"],
    ]
    assert [deal.game is None for deal in page.items] == [False] * 6 + [True]


async def test_pages_hold_every_deal_once_in_order_also_where_ratios_are_equal(
    api: ServedApi, rows: MarketRows
) -> None:
    dice = Random(1)  # noqa: S311 - the same market every time
    ratios = {}
    for number in range(1, 60):
        price = dice.choice([20, 30, 30, 30, 70]) * MILLION + dice.choice([0, 0, 0.01, 0.02])
        await rows.contract(number, **{**GOOD, "price": round(Decimal(price), 2)})
        ratios[number] = price / (100.0 * MILLION)

    pages = await api.pages(DEALS, limit=7)

    found = [deal["contract_id"] for page in pages for deal in page]
    assert found == sorted(ratios, key=lambda number: (ratios[number], number))
    assert [len(page) for page in pages] == [7] * 8 + [3]


async def test_what_makes_no_sense_is_refused(api: ServedApi) -> None:
    wrong: list[dict[str, Any]] = [
        {"min_profit": 999_999},
        {"min_profit": "inf"},
        {"min_coverage": 0},
        {"min_coverage": "nan"},
        {"category_id": 2**31},
        {"region_id": 1},
        {"cursor": "x"},
        {"limit": 201},
        {"security": "safe"},
    ]

    replies = [await api.get(DEALS, params=params) for params in wrong]

    assert [(reply.status, [field.split(".")[0] for field in reply.wrong_fields]) for reply in replies] == [
        (422, [*params]) for params in wrong
    ]
