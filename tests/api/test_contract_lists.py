from datetime import timedelta
from typing import Any

import pytest

from api.schemas.contracts import ContractPage
from support.market_rows import (
    DOMAIN,
    HEIMATAR,
    JITA_STATION,
    MERLIN,
    NOW,
    RIFTER,
    STRUCTURE,
    THE_FORGE,
    TRITANIUM,
    MarketRows,
)
from support.served_api import ServedApi, api_settings, served

CONTRACTS = "/api/v1/contracts"


@pytest.fixture
async def market(rows: MarketRows) -> MarketRows:
    """Six live contracts, the newest first as numbered, and three that are not to be seen."""
    await rows.coverage(THE_FORGE)
    await rows.coverage(DOMAIN, complete=False, swept_at=NOW - timedelta(hours=1))
    await rows.contract(1, price=100, contains_ship=True, date_issued=NOW)
    await rows.contract(2, price=200.5, date_issued=NOW - timedelta(hours=1))
    await rows.contract(3, region_id=DOMAIN, type="auction", price=300, date_issued=NOW - timedelta(hours=2))
    await rows.contract(4, region_id=DOMAIN, contains_ship=True, price=400, date_issued=NOW - timedelta(hours=3))
    await rows.contract(5, type="courier", items_state="none", contains_ship=None, date_issued=NOW - timedelta(hours=4))
    await rows.contract(6, items_state="wanted", contains_ship=None, date_issued=NOW - timedelta(hours=5))
    await rows.contract(7, delisted_at=NOW, outcome="unknown")
    await rows.contract(8, date_expired=NOW - timedelta(seconds=1))
    await rows.contract(9, region_id=HEIMATAR, delisted_at=NOW, date_expired=NOW - timedelta(days=1))
    for contract_id, type_id in ((1, RIFTER), (2, TRITANIUM), (3, TRITANIUM), (4, MERLIN), (7, RIFTER)):
        await rows.item(contract_id, type_id)
    await rows.item(2, RIFTER, offered=False)
    return rows


async def listed(api: ServedApi, **filters: Any) -> list[int]:
    reply = await api.get(CONTRACTS, params=filters)
    assert reply.status == 200, reply.body
    return [contract["contract_id"] for contract in reply.content["items"]]


@pytest.mark.usefixtures("market")
async def test_live_contracts_are_listed_the_newest_first(api: ServedApi) -> None:
    assert await listed(api) == [1, 2, 3, 4, 5, 6]


@pytest.mark.usefixtures("market")
async def test_each_filter_keeps_what_it_says(api: ServedApi) -> None:
    expected: list[tuple[dict[str, Any], list[int]]] = [
        ({"region_id": THE_FORGE}, [1, 2, 5, 6]),
        ({"region_id": [THE_FORGE, DOMAIN]}, [1, 2, 3, 4, 5, 6]),
        ({"region_id": HEIMATAR}, []),
        ({"contract_type": "courier"}, [5]),
        ({"contract_type": ["courier", "auction"]}, [3, 5]),
        ({"type_id": TRITANIUM}, [2, 3]),
        ({"type_id": [RIFTER, MERLIN]}, [1, 4]),
        ({"price_min": "200.5"}, [2, 3, 4]),
        ({"price_max": "200.50"}, [1, 2]),
        ({"price_min": 200, "price_max": 300}, [2, 3]),
        ({"price_min": 0}, [1, 2, 3, 4]),
        ({"region_id": DOMAIN, "type_id": TRITANIUM, "price_max": 299}, []),
    ]

    assert [(filters, await listed(api, **filters)) for filters, _ in expected] == expected


@pytest.mark.usefixtures("market")
async def test_ships_only_false_is_the_exact_negation_of_true(api: ServedApi) -> None:
    ships, others = await listed(api, ships_only="true"), await listed(api, ships_only="false")

    assert ships == [1, 4]
    assert others == [2, 3, 5, 6]


@pytest.mark.usefixtures("market")
async def test_what_is_wanted_from_the_acceptor_is_not_on_offer(api: ServedApi) -> None:
    assert 2 not in await listed(api, type_id=RIFTER)


@pytest.mark.usefixtures("market")
async def test_a_page_says_how_far_its_regions_are_known(api: ServedApi) -> None:
    everywhere = (await api.get(CONTRACTS)).content
    unread = (await api.get(CONTRACTS, params={"region_id": [THE_FORGE, HEIMATAR]})).content

    assert [(each["name"], each["complete"], each["items_pending"]) for each in everywhere["coverage"]] == [
        ("The Forge", True, 1),
        ("Domain", False, 0),
    ]
    assert everywhere["as_of"] == everywhere["coverage"][1]["as_of"]
    assert [(each["name"], each["as_of"]) for each in unread["coverage"]][1] == ("Heimatar", None)
    assert unread["as_of"] is None


async def test_an_empty_market_is_an_empty_page_with_its_coverage(api: ServedApi, rows: MarketRows) -> None:
    await rows.coverage(DOMAIN)

    page = ContractPage.model_validate_json((await api.get(CONTRACTS)).body)

    assert page.items == []
    assert page.next_cursor is None
    assert [each.region_id for each in page.coverage] == [DOMAIN]


async def test_pages_hold_every_contract_once_also_where_instants_are_equal(api: ServedApi, rows: MarketRows) -> None:
    for number in range(1, 24):
        await rows.contract(number, date_issued=NOW - timedelta(hours=number // 10))

    pages = await api.pages(CONTRACTS, limit=5)

    assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
    seen = [(contract["date_issued"], contract["contract_id"]) for page in pages for contract in page]
    assert seen == sorted(seen, reverse=True)
    assert {contract_id for _, contract_id in seen} == set(range(1, 24))


async def test_a_full_last_page_has_no_cursor(api: ServedApi, rows: MarketRows) -> None:
    for number in range(1, 5):
        await rows.contract(number)

    assert [len(page) for page in await api.pages(CONTRACTS, limit=2)] == [2, 2]


async def test_pages_go_on_where_they_were_when_newer_contracts_arrive(api: ServedApi, rows: MarketRows) -> None:
    for number in range(1, 5):
        await rows.contract(number)
    first = (await api.get(CONTRACTS, params={"limit": 2})).content

    await rows.contract(99, date_issued=NOW)
    second = (await api.get(CONTRACTS, params={"limit": 2, "cursor": first["next_cursor"]})).content

    assert [each["contract_id"] for each in first["items"] + second["items"]] == [4, 3, 2, 1]


async def test_a_cursor_serves_only_the_list_it_came_from(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    await rows.contract(2)
    params: dict[str, Any] = {"limit": 1, "region_id": [THE_FORGE, DOMAIN]}
    cursor = (await api.get(CONTRACTS, params=params)).content["next_cursor"]

    same = await api.get(CONTRACTS, params={"limit": 7, "region_id": [DOMAIN, THE_FORGE], "cursor": cursor})
    other = await api.get(CONTRACTS, params={"cursor": cursor})
    runs = await api.get("/api/v1/data/runs", params={"cursor": cursor})

    assert same.status == 200
    assert [(each.status, each.wrong_fields) for each in (other, runs)] == [(422, ["cursor"])] * 2


async def test_wrong_parameters_are_named(api: ServedApi) -> None:
    expected: list[tuple[dict[str, Any], str]] = [
        ({"region_id": "x"}, "region_id"),
        ({"region_id": 1}, "region_id"),
        ({"region_id": 2**63}, "region_id"),
        ({"region_id": [THE_FORGE, 0]}, "region_id"),
        ({"type_id": 9_999_999}, "type_id"),
        ({"contract_type": "lottery"}, "contract_type"),
        ({"ships_only": "perhaps"}, "ships_only"),
        ({"price_min": "inf"}, "price_min"),
        ({"price_min": "nan"}, "price_min"),
        ({"price_min": "1e309"}, "price_min"),
        ({"price_min": -1}, "price_min"),
        ({"price_min": 2, "price_max": 1}, "price_max"),
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"limit": 10**30}, "limit"),
        ({"cursor": "%"}, "cursor"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"cursor": "A" * 43}, "cursor"),
        ({"cursor": "\x00é"}, "cursor"),
        ({"region": THE_FORGE}, "region"),
    ]

    replies = [(filters, await api.get(CONTRACTS, params=filters)) for filters, _ in expected]

    assert [(filters, reply.wrong_fields[0]) for filters, reply in replies] == expected
    assert {reply.status for _, reply in replies} == {422}


async def test_a_type_that_is_only_just_on_offer_is_known(api: ServedApi, rows: MarketRows) -> None:
    await rows.item(await rows.contract(1), 9_999_999)

    assert await listed(api, type_id=9_999_999) == [1]


async def test_a_misspelt_parameter_is_told_from_its_neighbour(api: ServedApi) -> None:
    reply = await api.get(CONTRACTS, params={"price_mim": 3})

    assert reply.content["errors"] == [
        {"field": "price_mim", "message": "is not a parameter here; did you mean price_min?"}
    ]


async def test_the_bytes_of_a_list_are_what_the_schema_says(api: ServedApi, rows: MarketRows) -> None:
    await rows.bare_contract(1)
    await rows.name(90_000_001, 'Émile "Zo\\la"')
    await rows.contract(
        2,
        start_location_id=JITA_STATION,
        system_id=30000142,
        price="123456789012345678.91",
        volume=0.01,
        title="</script>\u2028 é",
        date_issued=NOW,
        items_offered=2,
        items_requested=0,
    )
    await rows.contract(3, start_location_id=STRUCTURE, date_issued=NOW + timedelta(seconds=1))

    reply = await api.get(CONTRACTS)
    page = ContractPage.model_validate_json(reply.body, extra="forbid")

    assert reply.headers["Content-Type"] == "application/json"
    assert all(set(each) == set(type(page.items[0]).model_fields) for each in reply.content["items"])
    in_structure, full, bare = page.items
    assert (full.system_name, full.start_location_id) == ("Jita", JITA_STATION)
    assert (full.start_location_name or "").startswith("Jita IV")
    assert b'"price":123456789012345678.91,' in reply.body
    assert (full.issuer_name, full.title) == ('Émile "Zo\\la"', "</script>\u2028 é")
    assert full.date_issued == NOW
    assert (in_structure.start_location_name, in_structure.system_id) == (None, None)
    assert (bare.issuer_corporation_name, bare.price, bare.label) == (None, None, None)


async def test_a_list_survives_the_loss_of_its_connections(database_url: str, rows: MarketRows) -> None:
    await rows.contract(1)
    async with served(api_settings(database_url, database_pool_size=1)) as api:
        assert await listed(api) == [1]

        await rows.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freeport-api'"
        )

        assert await listed(api) == [1]
