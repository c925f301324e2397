"""What each filter, sort and count of the list of contracts promises."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api.queries import rolls
from api.schemas.contract_filters import ITEM_RANGES, RANGES, ContractFilters
from api.schemas.contracts import ContractQuery, ContractSummary, Sort
from ingestor.stores import indexing
from support.market_rows import (
    DOMAIN,
    JITA_STATION,
    MERLIN,
    NOW,
    OFFERED,
    RIFTER,
    STRUCTURE,
    THE_FORGE,
    TRITANIUM,
    MarketRows,
)
from support.served_api import Reply, ServedApi

CONTRACTS = "/api/v1/contracts"
RIFTER_BLUEPRINT, FRIGATES, SHIPS, BLUEPRINTS = 691, 25, 6, 9
JITA, ABYSSAL_WEBIFIER = 30000142, 47702

EVERYTHING: dict[str, Any] = {
    "state": "gone",
    "outcome": "accepted",
    "region_id": THE_FORGE,
    "system_id": JITA,
    "station_id": JITA_STATION,
    "security": "high",
    "contract_type": "auction",
    "type_id": RIFTER,
    "group_id": FRIGATES,
    "category_id": SHIPS,
    "q": "unmistakable",
    "issuer_id": 90_000_009,
    "issuer_corporation_id": 98_000_009,
    "ships_only": "true",
    "single_item": "true",
    "want_to_buy": "true",
    "is_bpc": "true",
    "attribute": "20:10.5:",
    "issued_after": (NOW - timedelta(hours=2)).isoformat(),
    "expires_before": (NOW + timedelta(days=2)).isoformat(),
    **{f"{name}_{end}": 10 for name in (*RANGES, *ITEM_RANGES) for end in ("min", "max")},
}
"""A value of each filter that some of `market` meet, and some do not."""


async def ask(api: ServedApi, **params: Any) -> Reply:
    reply = await api.get(CONTRACTS, params=params)
    assert reply.status == 200, (params, reply.body)
    return reply


async def listed(api: ServedApi, **params: Any) -> list[int]:
    return [contract["contract_id"] for contract in (await ask(api, **params)).content["items"]]


async def total(api: ServedApi, **params: Any) -> int:
    counts = (await ask(api, count="exact", **params)).content["counts"]
    assert counts["total_is"] == "exact"
    return int(counts["total"])


@pytest.fixture
async def market(rows: MarketRows) -> MarketRows:
    """One contract that has everything, one that has other values of it all, one of which nothing is known."""
    await rows.coverage(THE_FORGE)
    place = {"start_location_id": JITA_STATION, "system_id": JITA, "security": "high"}
    money = {"price": 10, "buyout": 10, "collateral": 10, "reward": 10, "volume": 10, "days_to_complete": 10}
    await rows.contract(1, **place, **money, contains_ship=True, composition="single", date_issued=NOW)
    await rows.item(1, RIFTER)
    await rows.contract(
        2,
        region_id=DOMAIN,
        system_id=31000005,
        security="wormhole",
        start_location_id=STRUCTURE,
        type="auction",
        issuer_id=90_000_009,
        issuer_corporation_id=98_000_009,
        composition="bundle",
        date_expired=NOW + timedelta(days=1),
        **dict.fromkeys(money, 9),
    )
    copy: dict[str, Any] = {"is_blueprint_copy": True, "runs": 10, "material_efficiency": 10, "time_efficiency": 10}
    await rows.item(2, RIFTER_BLUEPRINT, **copy)
    await rows.item(2, ABYSSAL_WEBIFIER, item_id=10**12)
    await rows.rolls(10**12, {20: 10.5})
    await rows.contract(3, type="courier", items_state="none", reward=200, volume=10, composition="want_to_buy")
    await rows.contract(4, type="courier", items_state="none", reward=10, volume=10, price=11, collateral=11)
    worth = {"items_requested": 0, "value_lines": 1, "value_lines_priced": 1, "value_sell": 10}
    await rows.contract(5, price=100, buyout=11, volume=11, days_to_complete=11, composition="exchange", **worth)
    await rows.contract(6, price=10, composition="exchange", **worth)
    await rows.item(6, RIFTER_BLUEPRINT, is_blueprint_copy=True, runs=9, material_efficiency=9, time_efficiency=9)
    await rows.item(5, RIFTER_BLUEPRINT, is_blueprint_copy=True, runs=11, material_efficiency=11, time_efficiency=11)
    await rows.bare_contract(7)
    await rows.contract(8, delisted_at=NOW, outcome="accepted")
    await rows.execute(
        "INSERT INTO contract_words (contract_id, words) SELECT contract_id,"
        " to_tsvector('simple', CASE WHEN contract_id = 5 THEN 'unmistakable' ELSE 'other' END) FROM contracts"
    )
    return rows


def test_every_filter_is_tried_here() -> None:
    assert set(EVERYTHING) == set(ContractFilters.model_fields)


@pytest.mark.usefixtures("market")
async def test_every_filter_changes_the_list_and_leaves_something_of_it(api: ServedApi) -> None:
    """TRAPS: of a public system, a filter that was declared and never applied answered with everything."""
    everything = await total(api, state="all")
    counted = {
        name: await total(api, **{"state": "all", name: value}) for name, value in EVERYTHING.items() if name != "q"
    }

    assert everything == 8
    assert {name: count for name, count in counted.items() if not 0 < count < everything} == {}


async def test_lists_reach_the_server_as_repeated_parameters(api: ServedApi, market: MarketRows) -> None:
    del market
    document = (await api.get("/openapi.json")).content
    parameters = {each["name"]: each for each in document["paths"][CONTRACTS]["get"]["parameters"]}

    assert set(parameters) >= set(ContractQuery.model_fields)
    assert {each["in"] for each in parameters.values()} <= {"query", "header"}
    assert parameters["region_id"]["schema"]["type"] == "array"
    assert set(await listed(api, region_id=[THE_FORGE, DOMAIN])) == {1, 2, 3, 4, 5, 6, 7}
    assert set(await listed(api, contract_type=["auction", "courier"])) == {2, 3, 4}


@pytest.mark.usefixtures("market")
async def test_what_is_unknown_hides_no_row_and_breaks_no_page_in_any_order(api: ServedApi) -> None:
    for sort in set(Sort) - {Sort.RELEVANCE}:
        for order in ("asc", "desc"):
            assert set(await listed(api, sort=sort, order=order)) == {1, 2, 3, 4, 5, 6, 7}


async def test_unknown_words_are_refused_with_the_nearest_one(api: ServedApi) -> None:
    expected = {
        ("security", "hihg"): "high",
        ("state", "life"): "live",
        ("outcome", "acepted"): "accepted",
        ("sort", "-price"): "price",
        ("order", "des"): "desc",
        ("count", "exakt"): "exact",
        ("fields", "contract"): "contract_id",
        ("contract_type", "auktion"): "auction",
        ("pricemin", 1): "price_min",
    }

    for (name, value), nearest in expected.items():
        reply = await api.get(CONTRACTS, params={name: value})
        assert (reply.status, reply.wrong_fields) == (422, [name])
        assert reply.content["errors"][0]["message"].endswith(f"did you mean {nearest}?")


async def test_numbers_that_are_none_or_too_large_are_refused(api: ServedApi) -> None:
    bounds = [f"{name}_{end}" for name in (*RANGES, *ITEM_RANGES) for end in ("min", "max")]
    ids = ["region_id", "system_id", "station_id", "type_id", "group_id", "category_id", "issuer_id", "page", "size"]
    wrong = [(name, value) for name in bounds for value in ("inf", "nan", "1e309", "-1", "9" * 40, "1e-9999999", "x")]
    wrong += [(name, value) for name in ids for value in ("9" * 19, "9" * 40, "0", "-1", "1.5", "inf", "")]
    wrong += [
        ("attribute", value)
        for value in ("20", "20:1", "20::", "x:1:2", "20:nan:", "20:1e5:", "20:2:1", "0:1:", "20:inf:")
    ]
    wrong += [
        ("issued_after", value) for value in ("yesterday", "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9" * 30)
    ]
    wrong += [
        (name, value) for name in ("issued_after", "expires_before") for value in ("0", "1763795900", "1763795900.5")
    ]
    accepted = {("volume_min", "1e-9999999"), ("volume_max", "1e-9999999")}
    accepted |= {(f"{name}_{end}", "1e-9999999") for name in ("reward_per_m3", "value_ratio") for end in ("min", "max")}

    for name, value in wrong:
        reply = await api.get(CONTRACTS, params={name: value})
        assert (name, value, reply.status) == (name, value, 200 if (name, value) in accepted else 422)


async def test_a_minimum_above_its_maximum_is_refused(api: ServedApi) -> None:
    for name in (*RANGES, *ITEM_RANGES):
        reply = await api.get(CONTRACTS, params={f"{name}_min": 3, f"{name}_max": 2})
        assert (reply.status, reply.wrong_fields) == (422, [f"{name}_max"])


@pytest.mark.usefixtures("market")
async def test_no_character_of_a_search_is_an_error(api: ServedApi) -> None:
    for q in ("%", "100%", "_", "'", "a' OR 1=1 --", "\\", "a & b | !c", "(", "é", "\u2028x", "<>", ":*"):
        assert (await api.get(CONTRACTS, params={"q": q})).status in {200, 422}
    assert (await api.get(CONTRACTS, params={"q": "a\x00b"})).status == 422


async def test_false_is_the_exact_negation_of_true(api: ServedApi, market: MarketRows) -> None:
    await market.contract(9, composition="bundle")
    await market.item(9, RIFTER_BLUEPRINT, is_blueprint_copy=True, runs=1, material_efficiency=2)
    await market.item(9, RIFTER_BLUEPRINT, material_efficiency=10)
    everything = set(await listed(api))

    for name in ("ships_only", "single_item", "want_to_buy", "is_bpc"):
        true, false = await listed(api, **{name: "true"}), await listed(api, **{name: "false"})
        assert sorted(true + false) == sorted(everything)
        assert true
    originals = {"type_id": RIFTER_BLUEPRINT, "me_min": 10}
    true, false = [await listed(api, is_bpc=value, **originals) for value in ("true", "false")]
    assert set(true + false) == set(await listed(api, **originals))
    assert 9 in false


async def test_bounds_of_one_family_hold_on_one_item(api: ServedApi, market: MarketRows) -> None:
    await market.contract(9, composition="bundle")
    await market.item(9, RIFTER_BLUEPRINT, is_blueprint_copy=True, runs=1, material_efficiency=2)
    await market.item(9, RIFTER_BLUEPRINT, is_blueprint_copy=True, runs=30, material_efficiency=20)
    await market.item(9, RIFTER)

    assert 9 in await listed(api, me_min=2, me_max=2)
    assert 9 not in await listed(api, me_min=5, me_max=15)
    assert 9 not in await listed(api, me_min=20, runs_max=1)
    assert 9 not in await listed(api, type_id=RIFTER, category_id=BLUEPRINTS)
    assert 9 in await listed(api, group_id=FRIGATES, category_id=SHIPS)


async def test_both_halves_of_a_range_make_the_whole(api: ServedApi, market: MarketRows) -> None:
    """A + B - both + neither = all."""
    await market.contract(9, composition="bundle")
    for efficiency in (2, 30):
        await market.item(9, RIFTER_BLUEPRINT, is_blueprint_copy=True, runs=1, material_efficiency=efficiency)

    low, high = set(await listed(api, me_max=9)), set(await listed(api, me_min=10))
    neither = set(await listed(api)) - set(await listed(api, me_min=0))

    assert low & high == {9}
    assert len(low) + len(high) - len(low & high) + len(neither) == len(await listed(api))


async def test_what_is_asked_for_is_never_on_offer(api: ServedApi, market: MarketRows) -> None:
    await market.contract(9, composition="want_to_buy")
    await market.item(9, MERLIN, offered=False)
    await market.item(9, RIFTER_BLUEPRINT, offered=False, is_blueprint_copy=True, runs=10, material_efficiency=10)
    await market.item(9, ABYSSAL_WEBIFIER, offered=False, item_id=10**12 + 1)
    await market.rolls(10**12 + 1, {20: 11})

    asked: list[dict[str, Any]] = [
        {"type_id": MERLIN},
        {"group_id": FRIGATES},
        {"category_id": SHIPS},
        {"is_bpc": "true"},
        {"runs_min": 1},
        {"me_min": 1},
        {"attribute": "20:1:"},
        {"ships_only": "true"},
        {"single_item": "true"},
    ]
    for filters in asked:
        assert 9 not in await listed(api, **filters)
    assert 9 in await listed(api, want_to_buy="true")


@pytest.mark.usefixtures("market")
async def test_nulls_come_last_both_ways_and_ids_break_ties(api: ServedApi) -> None:
    ascending, descending = [await listed(api, sort="price", order=order) for order in ("asc", "desc")]

    assert ascending == [2, 1, 6, 4, 5, 3, 7]
    assert descending == [5, 4, 6, 1, 2, 7, 3]


async def test_a_courier_contract_without_volume_is_not_the_best_deal(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, type="courier", items_state="none", reward=10**9, volume=0)
    await rows.contract(2, type="courier", items_state="none", reward=5, volume=1)

    assert await listed(api, sort="reward_per_m3") == [2, 1]


@pytest.mark.usefixtures("market")
async def test_the_total_is_the_number_of_contracts_on_all_pages(api: ServedApi) -> None:
    matrix: list[dict[str, Any]] = [
        {},
        {"contract_type": "courier"},
        {"contract_type": ["courier", "auction"], "price_min": 9},
        {"type_id": RIFTER_BLUEPRINT},
        {"is_bpc": "true", "region_id": THE_FORGE},
        {"state": "all"},
    ]
    for filters in matrix:
        pages = await api.pages(CONTRACTS, limit=2, **filters)
        assert await total(api, **filters) == sum(map(len, pages))


async def test_counts_by_type_lift_the_type_and_know_types_that_are_new(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await rows.contract(2, type="barter")
    await rows.contract(3, type="courier", items_state="none", price=5)

    counts = (await ask(api, contract_type="courier")).content["counts"]
    bounded = (await ask(api, contract_type="courier", price_min=1)).content["counts"]

    assert (counts["total"], counts["by_type"]) == (1, {"barter": 1, "courier": 1, "item_exchange": 1})
    assert bounded["by_type"] == {"courier": 1}
    assert await listed(api, contract_type="barter") == [2]


async def test_an_empty_page_still_counts_and_covers(api: ServedApi, rows: MarketRows) -> None:
    await rows.coverage(THE_FORGE)
    await rows.contract(1, price=5)

    page = (await ask(api, price_min=6, contract_type="courier")).content

    assert (page["items"], page["next_cursor"], page["prev_cursor"]) == ([], None, None)
    assert page["counts"] == {"total": 0, "total_is": "exact", "by_type": {}, "by_type_is": "exact"}
    assert [(each["name"], each["stale"]) for each in page["coverage"]] == [("The Forge", False)]


async def test_what_is_unknown_is_counted_as_excluded(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, start_location_id=STRUCTURE, composition="single")
    await rows.contract(2, system_id=JITA, security="high", start_location_id=JITA_STATION, items_state="wanted")
    await rows.contract(3, items_state="none", type="courier")
    await rows.contract(4, composition="single")
    await rows.item(4, ABYSSAL_WEBIFIER, item_id=10**12)
    await rows.rolls(10**12, {})

    async def excluded(**filters: Any) -> dict[str, int]:
        return {each["because"]: each["contracts"] for each in (await ask(api, **filters)).content["excluded"]}

    assert await excluded() == {}
    assert await excluded(system_id=JITA) == {"system": 3}
    assert await excluded(security="high", single_item="true") == {"system": 2, "items": 1}
    assert await excluded(value_ratio_min=0) == {"items": 1, "value": 2}
    await rows.execute("INSERT INTO dynamic_item_attributes (item_id, attribute_id, value) VALUES (1, 20, 1)")
    assert await excluded(attribute="20:1:") == {"items": 1, "rolls": 1}


async def test_rolls_are_missing_while_what_offers_them_is_listed(api: ServedApi, rows: MarketRows) -> None:
    for contract_id, delisted_at in ((1, None), (2, NOW)):
        await rows.contract(contract_id, delisted_at=delisted_at, outcome=delisted_at and "accepted")
        await rows.item(contract_id, ABYSSAL_WEBIFIER, item_id=10**12 + contract_id)
    await rows.rolls(10**12 + 1, {20: 0.5})
    await rows.rolls(10**12 + 2, {})

    async def unread(**filters: Any) -> Any:
        excluded = (await ask(api, attribute="20:1:", **filters)).content["excluded"]
        return {each["because"]: each["contracts"] for each in excluded}["rolls"]

    assert (await unread(), await unread(state="gone")) == (0, 1)
    for unread_now in ("UPDATE dynamic_items SET state = 'failed'", "UPDATE dynamic_items SET state = 'wanted'"):
        await rows.execute(unread_now)
        assert (await unread(), await unread(state="gone")) == (1, 1)


async def test_who_offers_unread_rolls_is_looked_up_while_those_are_few(rows: MarketRows, database_url: str) -> None:
    for contract_id in (1, 2):
        await rows.contract(contract_id)
        await rows.item(contract_id, ABYSSAL_WEBIFIER, item_id=10**12 + contract_id)
        await rows.rolls(10**12 + contract_id, {})
    connection = await asyncpg.connect(database_url)

    found = [await rolls.unread(connection, most) for most in (1, 2)]

    await connection.close()
    assert [each and sorted(each) for each in found] == [None, [1, 2]]


async def test_the_expired_are_hidden_in_lists_and_counts_and_still_have_a_detail(
    api: ServedApi, rows: MarketRows
) -> None:
    await rows.contract(1, date_expired=NOW - timedelta(minutes=1))
    await rows.item(1, RIFTER)

    assert (await listed(api), await listed(api, type_id=RIFTER), await total(api)) == ([], [], 0)
    assert await listed(api, state="gone", type_id=RIFTER) == [1]
    assert (await api.get(f"{CONTRACTS}/1")).status == 200


async def test_a_region_that_is_not_read_any_more_hides_nothing_and_says_so(api: ServedApi, rows: MarketRows) -> None:
    old = NOW - timedelta(days=1)
    await rows.coverage(THE_FORGE, complete=False, swept_at=old, fresh_until=old)
    await rows.contract(1)
    await rows.contract(2, region_id=DOMAIN)
    await rows.contract(3, missing_since=NOW)
    await rows.contract(4, delisted_at=NOW)

    page = (await ask(api)).content

    assert {each["contract_id"] for each in page["items"]} == {1, 2, 3}
    assert [(each["region_id"], each["complete"], each["stale"]) for each in page["coverage"]] == [
        (THE_FORGE, False, True)
    ]


async def test_pages_have_numbers_up_to_a_depth(api: ServedApi, rows: MarketRows) -> None:
    for number in range(1, 8):
        await rows.contract(number)

    assert [await listed(api, page=page, size=3) for page in (1, 2, 3, 4)] == [[7, 6, 5], [4, 3, 2], [1], []]
    second = (await ask(api, page=2, size=3)).content
    assert await listed(api, limit=3, cursor=second["next_cursor"]) == [1]
    assert await listed(api, limit=3, cursor=second["prev_cursor"]) == [7, 6, 5]
    wrong: list[dict[str, Any]] = [
        {"page": 41, "size": 50},
        {"page": 2, "cursor": second["next_cursor"]},
        {"size": 2, "limit": 2},
    ]
    assert [(await api.get(CONTRACTS, params=params)).status for params in wrong] == [422] * 3


async def test_a_changed_cursor_is_refused(api: ServedApi, rows: MarketRows) -> None:
    for number in range(1, 4):
        await rows.contract(number, price=number)
    params = {"sort": "price", "limit": 1}
    cursor = (await ask(api, **params)).content["next_cursor"]
    changed = [cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :] for at in range(len(cursor) - 1)]

    statuses = [(await api.get(CONTRACTS, params={**params, "cursor": each})).status for each in changed]
    other_order = await api.get(CONTRACTS, params={**params, "order": "desc", "cursor": cursor})

    assert set(statuses) == {422}
    assert other_order.wrong_fields == ["cursor"]


@pytest.mark.usefixtures("market")
async def test_only_the_fields_that_are_asked_for_are_shown(api: ServedApi) -> None:
    few = (await ask(api, fields=["price,label", "contract_id"])).content["items"]
    full = (await ask(api)).content["items"]

    assert all(list(each) == ["contract_id", "price", "label"] for each in few)
    assert all(set(each) == set(ContractSummary.model_fields) for each in full)


async def test_what_takes_long_to_count_is_estimated_and_says_so(api: ServedApi, rows: MarketRows) -> None:
    await rows.execute(
        "INSERT INTO contracts (contract_id, region_id, type, issuer_id, issuer_corporation_id, for_corporation,"
        " date_issued, date_expired, items_state, composition) SELECT n, 10000002,"
        " CASE WHEN n % 10 = 0 THEN 'auction' ELSE 'item_exchange' END, 1, 1, false, now(), now() + interval '1 day',"
        " 'stored', 'single' FROM generate_series(1, 6000) n"
    )
    await rows.execute(
        "INSERT INTO contract_items (contract_id, record_id, type_id, quantity, is_included, is_blueprint_copy, runs)"
        " SELECT n, n, 691, 1, true, true, 1 + n / 7 % 2 FROM generate_series(1, 6000) n"
    )
    await rows.execute(OFFERED)
    await rows.execute("ANALYZE")

    estimated = (await ask(api, runs_min=2, limit=1)).content["counts"]
    exact = (await ask(api, runs_min=2, limit=1, count="exact")).content["counts"]
    none = (await ask(api, runs_min=2, limit=1, count="none")).content["counts"]

    assert (exact["total"], exact["total_is"], none) == (2998, "exact", None)
    assert (estimated["total_is"], estimated["by_type_is"]) == ("estimated", "estimated")
    assert estimated["total"] == sum(estimated["by_type"].values())
    assert 2000 < estimated["total"] < 4000


async def test_a_range_of_prices_is_counted_exactly_however_many_there_are(api: ServedApi, rows: MarketRows) -> None:
    await rows.execute(
        "INSERT INTO contracts (contract_id, region_id, type, issuer_id, issuer_corporation_id, for_corporation,"
        " date_issued, date_expired, items_state, price) SELECT n, 10000002,"
        " CASE WHEN n % 10 = 0 THEN 'auction' ELSE 'item_exchange' END, 1, 1, false, now(), now() + interval '1 day',"
        " 'wanted', n FROM generate_series(1, 6000) n"
    )

    by_default = (await ask(api, price_min=1001, price_max=5500, limit=1)).content["counts"]
    auctions = (await ask(api, price_min=1001, price_max=5500, limit=1, contract_type="auction")).content["counts"]

    by_type = {"auction": 450, "item_exchange": 4050}
    exactly = {"total_is": "exact", "by_type": by_type, "by_type_is": "exact"}
    assert by_default == {"total": 4500, **exactly}
    assert auctions == {"total": 450, **exactly}


async def test_a_search_is_paged_by_relevance_both_ways(api: ServedApi, rows: MarketRows, engine: AsyncEngine) -> None:
    titles = ["a rifter", None, "rifters for all", None, "my rifter", "nothing", "rifterlike", None]
    for number, title in enumerate(titles, start=1):
        await rows.contract(number, title=title, date_issued=NOW - timedelta(hours=number // 2))
        await rows.item(number, RIFTER if title is None else TRITANIUM)
    async with engine.begin() as connection:
        await indexing.index(connection, range(1, len(titles) + 1))

    first = (await ask(api, q="rifter")).content
    whole = [each["contract_id"] for each in first["items"]]
    pages = await api.pages(CONTRACTS, q="rifter", limit=2)
    last = (await ask(api, q="rifter", page=3, size=3)).content
    before = (await ask(api, q="rifter", limit=3, cursor=last["prev_cursor"])).content

    # What is called so, then titles with the word, then titles in which it begins one; the newest first.
    assert whole == [2, 4, 8, 1, 5, 3, 7]
    assert [each["contract_id"] for page in pages for each in page] == whole
    assert await listed(api, q="rifter", order="asc") == whole[::-1]
    assert [each["contract_id"] for each in before["items"]] == whole[3:6]
    assert await listed(api, q="rifter", sort="issued", order="asc") == [8, 7, 4, 5, 2, 3, 1]
    assert (first["counts"]["total"], first["understood"]) == (7, {"corrected": {}})
    assert (await ask(api, q="riftre")).content["understood"] == {"corrected": {"riftre": ["rifter"]}}
