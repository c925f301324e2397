from itertools import pairwise

import pytest

from common import universe
from support.simulated_esi import SimulatorInProcess

FORGE = 10000002
JITA = 60003760
ORDERS = f"/markets/{FORGE}/orders"


async def test_jita_buys_below_and_sells_above_the_average(small: SimulatorInProcess) -> None:
    average = next(item.average_price for item in universe.types() if item.type_id == 34)
    assert average is not None
    rows = (await small.get(f"{ORDERS}?order_type=all&type_id=34")).content
    jita = [row for row in rows if row["location_id"] == JITA and row["system_id"] == 30000142]

    buy = max(row["price"] for row in jita if row["is_buy_order"])
    sell = min(row["price"] for row in jita if not row["is_buy_order"])
    assert 0.7 * average < buy < sell < 1.4 * average


async def test_all_orders_come_in_pages_of_which_each_order_is_on_one(small: SimulatorInProcess) -> None:
    pages = [await small.get(f"{ORDERS}?order_type=all&page={number}") for number in (1, 2, 3)]
    ids = [row["order_id"] for answer in pages for row in answer.content]
    last = await small.get(f"{ORDERS}?order_type=all&page={pages[0].headers['x-pages']}")

    assert [len(answer.content) for answer in pages] == [10, 10, 10]
    assert len(ids) == len(set(ids))
    assert 1 <= len(last.content) <= 10
    assert (await small.get(f"{ORDERS}?page={int(pages[0].headers['x-pages']) + 1}")).status == 404


async def test_one_side_of_one_type_can_be_asked_for(small: SimulatorInProcess) -> None:
    sides = {side: (await small.get(f"{ORDERS}?order_type={side}&type_id=34")).content for side in ("buy", "sell")}

    assert {row["is_buy_order"] for row in sides["buy"]} == {True}
    assert {row["is_buy_order"] for row in sides["sell"]} == {False}


@pytest.mark.parametrize("query", ["order_type=some", "type_id=one", "page=0"])
async def test_what_is_no_question_about_orders_is_refused(small: SimulatorInProcess, query: str) -> None:
    assert (await small.get(f"{ORDERS}?{query}")).status == 400


async def test_orders_pay_with_tokens_and_tell_nothing_of_errors(small: SimulatorInProcess) -> None:
    first, second = await small.get(ORDERS), await small.get(ORDERS)

    told = {name: text for name, text in first.headers.items() if name.startswith("x-ratelimit")}
    assert told == {
        "x-ratelimit-group": "market-order",
        "x-ratelimit-limit": "12000/15m",
        "x-ratelimit-remaining": "11998",
        "x-ratelimit-used": "2",
    }
    assert not [name for name in first.headers if name.startswith("x-esi-error")]
    assert second.headers["x-ratelimit-remaining"] == "11996"


async def test_orders_are_cached_for_five_minutes(small: SimulatorInProcess) -> None:
    before = await small.get(ORDERS)
    again = await small.get(ORDERS, {"If-None-Match": before.headers["etag"]})
    await small.control("clock", advance=3600)
    after = await small.get(ORDERS, {"If-None-Match": before.headers["etag"]})

    assert (again.status, again.headers["x-ratelimit-used"]) == (304, "1")
    assert after.status == 200
    assert after.body != before.body


async def test_types_and_days_are_those_of_what_is_traded(small: SimulatorInProcess) -> None:
    types = (await small.get(f"/markets/{FORGE}/types")).content
    days = (await small.get(f"/markets/{FORGE}/history?type_id=34")).content

    assert 34 in types
    assert len(days) == 410
    assert all(one["date"] < next_one["date"] for one, next_one in pairwise(days))
    assert all(day["lowest"] <= day["average"] <= day["highest"] for day in days)
    assert (await small.get(f"/markets/{FORGE}/history")).status == 400
    assert (await small.get(f"/markets/{FORGE}/history?type_id=1")).status == 404


async def test_a_region_without_market_has_no_orders(small: SimulatorInProcess) -> None:
    answer = await small.get("/markets/10000001/orders")

    assert (answer.status, answer.content, answer.headers["x-pages"]) == (200, [], "1")
    assert (await small.get("/markets/1/orders")).status == 404
