"""What is and was asked for a type: the same before and after the ingestor has rolled its days up."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api.schemas.type_prices import TypePrices
from common.tables import contract_items
from ingestor.domain.statistics import Article, Offer, statistics
from ingestor.domain.summary import TypeFacts, summarise
from ingestor.esi.models import PublicItem
from ingestor.stores import history
from support.market_rows import DOMAIN, MERLIN, NOW, RIFTER, THE_FORGE, TRITANIUM, MarketRows
from support.served_api import ServedApi

RIFTER_BLUEPRINT = 691
# A midnight, so that what falls on one day together does not depend on the hour the test runs at.
LONG_AGO = (NOW - timedelta(days=20)).replace(hour=0, minute=0, second=0, microsecond=0)
COPY: dict[str, Any] = {"is_blueprint_copy": True, "material_efficiency": 10, "time_efficiency": 20, "runs": 5}
TYPES = (RIFTER, TRITANIUM, RIFTER_BLUEPRINT)
FACTS = {type_id: TypeFacts(f"type {type_id}", 9 if type_id == RIFTER_BLUEPRINT else 6) for type_id in (*TYPES, MERLIN)}


async def prices(api: ServedApi, type_id: int = RIFTER, **params: Any) -> dict[str, Any]:
    """The answer with its amounts exact, for it holds what the schema says and no more."""
    reply = await api.get(f"/api/v1/types/{type_id}/prices", params=params)
    assert reply.status == 200, reply.body
    TypePrices.model_validate_json(reply.body, extra="forbid")
    shown: dict[str, Any] = json.loads(reply.body, parse_float=Decimal)
    return shown


async def roll_up(engine: AsyncEngine) -> int:
    """What the dataset `history` does, for all that lies before today; says how many contracts it removed."""
    removed, retention = 0, timedelta(0)
    while True:
        async with engine.begin() as connection:
            day = await history.oldest(connection, retention)
            if day is None:
                return removed
            if await history.claim(connection, day):
                await history.keep(connection, day, statistics(await history.offers(connection, day)))
            removed += await history.remove(connection, day, most=1000)


async def sold(
    rows: MarketRows, contract_id: int, *lines: dict[str, Any], by_its_items: bool = False, **columns: Any
) -> None:
    """An exchange of `lines`, with the summary that the ingestor makes of them; or did, before it counted pieces."""
    held = [PublicItem(**{"record_id": 1, "quantity": 1, "is_included": True, **line}) for line in lines]
    summary = summarise(held, FACTS)
    blueprint = summary.blueprint
    told = {
        "composition": summary.composition,
        "units": None if by_its_items else summary.units,
        "is_blueprint_copy": blueprint and blueprint.is_copy,
        "material_efficiency": blueprint and blueprint.material_efficiency,
        "time_efficiency": blueprint and blueprint.time_efficiency,
        "runs": blueprint and blueprint.runs,
    }
    await rows.contract(contract_id, **told, **columns)
    for line in lines:
        await rows.item(contract_id, **line)


def line(dice: Random) -> dict[str, Any]:
    type_id = dice.choice(TYPES)
    if type_id != RIFTER_BLUEPRINT or dice.random() < 0.2:
        return {"type_id": type_id, "quantity": dice.choice([1, 1, 3, 7, 10**9])}
    runs = dice.choice([1, 1, 1, 5, 5, 5, -1])
    research = {"material_efficiency": dice.choice([0, 10, None]), "time_efficiency": 20, "runs": runs}
    return {"type_id": type_id, "is_blueprint_copy": dice.choice([True, None]), "quantity": 1, **research}


@pytest.mark.parametrize("seed", range(2))
async def test_a_day_reads_the_same_before_and_after_it_is_rolled_up(
    api: ServedApi, rows: MarketRows, engine: AsyncEngine, seed: int
) -> None:
    dice = Random(seed)  # noqa: S311 - the same market every time
    for number in range(1, 250):
        lines = [line(dice)] * dice.choice([1, 1, 1, 2]) + [line(dice)] * dice.choice([0, 0, 0, 1])
        if dice.random() < 0.1:
            lines.append({"type_id": MERLIN, "is_included": False})
        columns = {
            "type": dice.choice(["item_exchange"] * 8 + ["auction"]),
            "region_id": dice.choice([THE_FORGE, DOMAIN]),
            "price": dice.choice([None, 0, Decimal(dice.randint(1, 10**6)) / 100, Decimal(dice.randint(1, 99)) / 100]),
            "outcome": dice.choice(["accepted", "unknown", None]),
            "delisted_at": LONG_AGO + timedelta(hours=dice.randint(0, 240)),
        }
        await sold(rows, number, *lines, by_its_items=dice.random() < 0.3, **columns)

    before = [await prices(api, type_id, days=60) for type_id in TYPES]
    removed = await roll_up(engine)
    after = [await prices(api, type_id, days=60) for type_id in TYPES]

    assert removed == 249
    assert await rows.execute("SELECT 1 FROM contracts") == []
    assert before == after
    assert [len(each["days"]) > 5 for each in before] == [True] * 3
    assert any(entry["contracts"] > 3 for entry in before[0]["days"])


async def test_while_a_day_is_rolled_up_and_not_yet_removed_nothing_counts_twice(
    api: ServedApi, rows: MarketRows, engine: AsyncEngine
) -> None:
    await sold(rows, 1, {"type_id": RIFTER}, price=5, delisted_at=LONG_AGO)
    before = await prices(api)
    async with engine.begin() as connection:
        day = await history.oldest(connection, timedelta(0))
        assert day is not None
        await history.claim(connection, day)
        await history.keep(connection, day, statistics(await history.offers(connection, day)))

    assert (await rows.execute(f"SELECT count(*) FROM {contract_items.name}"))[0][0] == 1  # noqa: S608 - our own name
    assert await prices(api) == before
    assert [entry["contracts"] for entry in before["days"]] == [1]


async def test_what_live_contracts_ask_is_told_by_the_same_rules(api: ServedApi, rows: MarketRows) -> None:
    asked = [Decimal("9.99"), Decimal("0.01"), Decimal(7), Decimal("7.33"), Decimal("120.05")]
    for number, price in enumerate(asked, start=1):
        await sold(rows, number, {"type_id": RIFTER, "quantity": number}, price=price)
    await sold(rows, 6, {"type_id": RIFTER}, {"type_id": MERLIN}, price=1)
    await sold(rows, 7, {"type_id": RIFTER}, price=1, date_expired=NOW - timedelta(seconds=1))
    await sold(rows, 8, {"type_id": RIFTER}, price=1, type="auction")
    await sold(rows, 9, {"type_id": RIFTER}, price=0)
    offers = [Offer(Article(RIFTER), price, units, accepted=False) for units, price in enumerate(asked, start=1)]
    (expected,) = statistics(offers)

    (entry,) = (await prices(api))["live"]

    assert {name: entry[name] for name in ("contracts", "lowest", "p10", "median", "p90")} == {
        "contracts": 5,
        "lowest": expected.lowest,
        "p10": expected.p10,
        "median": expected.median,
        "p90": expected.p90,
    }


async def test_amounts_are_to_the_cent_however_much_is_offered_and_however_close_to_half_a_cent(
    api: ServedApi, rows: MarketRows
) -> None:
    dice = Random(3)  # noqa: S311 - the same market every time
    by_region: dict[int, list[Offer]] = {}
    for number in range(1, 301):
        region_id = dice.randint(1, 60)
        units = dice.choice([1, 1, 2, 3, 4, 7, 8, 16, 20, 40, 10**9, 2**62 + 1])
        cents = dice.choice([1, 3, 5, 25, 10**4 + 1, 10**20 - 1]) * dice.choice([1, units, units + 1])
        price = min(Decimal(cents) / 100, Decimal("999999999999999999.99"))
        by_its_items = dice.random() < 0.3
        await sold(
            rows,
            number,
            {"type_id": RIFTER, "quantity": units},
            price=price,
            region_id=region_id,
            by_its_items=by_its_items,
        )
        by_region.setdefault(region_id, []).append(Offer(Article(RIFTER), price, units, accepted=False))

    shown = {entry["region_id"]: entry for entry in (await prices(api))["live"]}

    assert shown.keys() == by_region.keys()
    for region_id, offers in by_region.items():
        (expected,) = statistics(offers)
        for name in ("contracts", "lowest", "p10", "median", "p90"):
            assert shown[region_id][name] == getattr(expected, name), (name, offers)


async def test_copies_are_told_apart_and_each_filter_keeps_what_it_says(api: ServedApi, rows: MarketRows) -> None:
    blueprint = {"type_id": RIFTER_BLUEPRINT}
    await sold(rows, 1, {**blueprint, **COPY}, price=1)
    await sold(rows, 2, {**blueprint, **COPY, "runs": 1}, price=2)
    await sold(rows, 3, {**blueprint, **COPY, "material_efficiency": 0}, price=3, region_id=DOMAIN)
    await sold(rows, 4, {**blueprint, "material_efficiency": 10}, price=4)
    await sold(rows, 5, {**blueprint, **COPY}, {**blueprint, **COPY, "runs": 9}, price=5)

    async def live(**params: Any) -> list[int]:
        return [int(entry["lowest"]) for entry in (await prices(api, RIFTER_BLUEPRINT, **params))["live"]]

    assert sorted(await live()) == [1, 2, 3, 4]
    assert sorted(await live(is_bpc="true")) == [1, 2, 3]
    assert await live(is_bpc="false") == [4]
    assert sorted(await live(runs=5)) == [1, 3]
    assert sorted(await live(me=10)) == [1, 2]
    assert sorted(await live(te=20)) == [1, 2, 3]
    assert await live(region_id=DOMAIN) == [3]
    assert await live(runs=5, me=10, region_id=[THE_FORGE, DOMAIN]) == [1]


async def test_days_end_where_they_are_asked_to_and_can_be_followed_back(api: ServedApi, rows: MarketRows) -> None:
    today = datetime.now(UTC).date()
    for ago in range(5):
        gone = datetime.now(UTC) - timedelta(days=ago)
        await sold(rows, ago + 1, {"type_id": RIFTER}, price=ago + 1, delisted_at=gone, outcome="accepted")

    first = await prices(api, days=2)
    second = await prices(api, days=2, before=first["from"])

    assert [entry["day"] for entry in first["days"]] == [str(today - timedelta(days=ago)) for ago in (0, 1)]
    assert [entry["day"] for entry in second["days"]] == [str(today - timedelta(days=ago)) for ago in (2, 3)]
    assert (first["until"], second["until"]) == (str(today + timedelta(days=1)), first["from"])
    assert [entry["accepted"] for entry in first["days"]] == [1, 1]


async def test_what_makes_no_sense_of_prices_is_refused(api: ServedApi) -> None:
    path = "/api/v1/types/587/prices"
    wrong = ({"region_id": 5}, {"days": 0}, {"days": 10**30}, {"me": 2**15}, {"runs": -1}, {"before": "1763769600"})

    replies = [await api.get(path, params=params) for params in wrong]
    unknown = await api.get("/api/v1/types/999999/prices")

    assert [(reply.status, reply.wrong_fields) for reply in replies] == [(422, list(params)) for params in wrong]
    assert unknown.status == 404
