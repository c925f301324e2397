from decimal import Decimal
from typing import Any

import pytest

from api.schemas.type_search import FoundTypes
from api.schemas.universe import ItemType
from support.market_rows import MERLIN, NOW, RIFTER, TRITANIUM, MarketRows
from support.served_api import ServedApi


async def find(api: ServedApi, **params: Any) -> FoundTypes:
    reply = await api.get("/api/v1/types", params=params)
    assert reply.status == 200, reply.body
    return FoundTypes.model_validate_json(reply.body, extra="forbid")


async def names(api: ServedApi, **params: Any) -> list[str]:
    return [found.name for found in (await find(api, **params)).items]


async def test_a_type_is_found_by_the_beginnings_of_its_words_in_any_order_the_best_first(
    api: ServedApi, rows: MarketRows
) -> None:
    await rows.contract(1, facets=[691])

    assert (await names(api, q="rifter"))[:2] == ["Rifter", "Rifter Blueprint"]
    assert (await names(api, q="RIFT"))[0] == "Rifter Blueprint"
    assert "Rifter Blueprint" in await names(api, q="blue rift", limit=50)
    assert await names(api, q="rifter tritanium") == []


async def test_types_on_offer_come_first_and_can_be_asked_for_alone(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, facets=[MERLIN])
    await rows.contract(2, facets=[MERLIN, RIFTER])
    await rows.contract(3, facets=[TRITANIUM], delisted_at=NOW)

    found = await find(api, group_id=25, limit=3)
    offered = await find(api, on_offer="true")

    assert [(each.name, each.live) for each in found.items][:2] == [("Merlin", 2), ("Rifter", 1)]
    assert (len(found.items), found.more) == (3, True)
    assert ([each.name for each in offered.items], offered.more) == (["Merlin", "Rifter"], False)
    assert {each.category_name for each in found.items} == {"Ship"}
    assert await names(api, category_id=4, on_offer="true") == []


async def test_mistakes_are_forgiven_and_told(api: ServedApi) -> None:
    found = await find(api, q="riftre blueprint")

    assert found.corrected == {"riftre": ["rifter"]}
    assert "Rifter Blueprint" in [each.name for each in found.items]
    assert (await find(api, q="xyzzyplugh")).items == []


@pytest.mark.parametrize("q", ["%", "_", "'", "\\", "\u202e", "\u0000", "()", ":*", "\N{ROCKET}"])
async def test_a_search_for_nothing_but_signs_is_refused(api: ServedApi, q: str) -> None:
    reply = await api.get("/api/v1/types", params={"q": q})

    assert (reply.status, reply.wrong_fields) == (422, ["q"])


@pytest.mark.parametrize(
    ("q", "plain"),
    [
        ("' | 'plex", "plex"),
        ("a%b", "a b"),
        ("ri\u0000fter", "ri fter"),
        ("plex:*", "plex"),
        ("(rifter & !merlin", "rifter merlin"),
    ],
)
async def test_no_sign_in_a_search_means_more_than_itself(api: ServedApi, q: str, plain: str) -> None:
    assert sorted(await names(api, q=q, limit=200)) == sorted(await names(api, q=plain, limit=200))


async def test_what_makes_no_search_is_refused(api: ServedApi) -> None:
    wrong = ({"q": ""}, {"q": "x" * 101}, {"q": " ".join("abcdefghijklm")}, {"limit": 0}, {"group_id": 2**63})

    replies = [await api.get("/api/v1/types", params=params) for params in wrong]

    assert [(reply.status, reply.wrong_fields) for reply in replies] == [(422, [*params]) for params in wrong]


async def test_a_type_shows_what_it_costs_and_how_many_offer_it(api: ServedApi, rows: MarketRows) -> None:
    await rows.execute("INSERT INTO prices (type_id, buy, sell, average) VALUES (587, 400000, NULL, 450000.5)")
    await rows.contract(1, facets=[RIFTER])

    rifter = ItemType.model_validate_json((await api.get("/api/v1/types/587")).body, extra="forbid")
    merlin = ItemType.model_validate_json((await api.get("/api/v1/types/603")).body, extra="forbid")

    assert rifter.prices is not None
    assert (rifter.prices.buy, rifter.live) == (Decimal(400000), 1)
    assert rifter.prices.sell is None
    assert rifter.image == "https://images.evetech.net/types/587/render"
    assert (merlin.prices, merlin.live) == (None, 0)
