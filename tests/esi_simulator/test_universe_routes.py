import json
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from common import universe
from support.simulated_esi import SimulatedEsi, SimulatorInProcess

SCHEMAS = json.loads(Path(__file__).with_name("esi_schemas.json").read_text(encoding="utf-8"))
FORGE = 10000002

GETS = {
    "contracts": f"/contracts/public/{FORGE}",
    "regions": "/universe/regions",
    "region": f"/universe/regions/{FORGE}",
    "constellations": "/universe/constellations",
    "constellation": "/universe/constellations/20000020",
    "systems": "/universe/systems",
    "system": "/universe/systems/30000142",
    "station": "/universe/stations/60003760",
    "types": "/universe/types",
    "type": "/universe/types/587",
    "groups": "/universe/groups",
    "group": "/universe/groups/25",
    "categories": "/universe/categories",
    "category": "/universe/categories/6",
    "status": "/status",
    "prices": "/markets/prices",
    "orders": f"/markets/{FORGE}/orders?order_type=all",
    "market_types": f"/markets/{FORGE}/types",
    "history": f"/markets/{FORGE}/history?type_id=34",
}


def valid(kind: str, content: object) -> bool:
    return not [error.message for error in Draft202012Validator(SCHEMAS[kind]).iter_errors(content)]


@pytest.mark.parametrize("kind", GETS)
def test_answers_keep_to_esis_schema(esi: SimulatedEsi, kind: str) -> None:
    answer = esi.get(GETS[kind])

    assert answer.status == 200
    assert valid(kind, answer.content)


async def test_abyssal_items_keep_to_esis_schema(small: SimulatorInProcess) -> None:
    ids = (await small.control("list", region_id=FORGE, kind="abyssals", count=20))["contract_ids"]
    lines = [line for one in ids for line in (await small.get(f"/contracts/public/items/{one}")).content]
    answers = [await small.get(f"/dogma/dynamic/items/{line['type_id']}/{line['item_id']}") for line in lines]

    assert len(answers) >= 20
    assert all(valid("dynamic", answer.content) for answer in answers)


async def test_errors_keep_to_esis_schema(small: SimulatorInProcess) -> None:
    answers = []
    for status in (400, 403, 404, 420, 429, 500, 502, 503, 504, 520):
        await small.control("faults", status=status)
        answers.append(await small.get("/status"))

    assert all(valid("error", answer.content) for answer in answers)


async def test_all_rows_keep_to_esis_schema(small: SimulatorInProcess) -> None:
    for contract_type in ("item_exchange", "auction", "courier", "loan"):
        await small.control("list", region_id=FORGE, type=contract_type)
    for number in range(1, 6):
        assert valid("contracts", (await small.get(f"/contracts/public/{FORGE}?page={number}")).content)


def test_items_and_bids_keep_to_esis_schema(esi: SimulatedEsi) -> None:
    truth = esi.truth(FORGE)
    live = set(truth["live"])
    auctions = [row["contract_id"] for row in truth["listed"] if row["type"] == "auction"]
    bids = [esi.get(f"/contracts/public/bids/{one}").content for one in auctions if one in live]

    assert all(valid("items", items) for items in list(truth["items"].values())[-200:])
    assert all(valid("bids", found) for found in bids)


@pytest.mark.parametrize(
    "subject", ["regions", "constellations", "systems", "stations", "types", "groups", "categories"]
)
def test_what_is_not_in_the_universe_is_not_found(esi: SimulatedEsi, subject: str) -> None:
    answer = esi.get(f"/universe/{subject}/999999999")

    assert answer.status == 404
    assert valid("error", answer.content)


def test_types_come_in_pages_of_a_thousand(esi: SimulatedEsi) -> None:
    first = esi.get("/universe/types")
    last = esi.get(f"/universe/types?page={first.headers['x-pages']}")

    assert (len(first.content), first.headers["x-pages"]) == (1000, "28")
    assert len(last.content) == 310


def test_static_answers_expire_at_the_end_of_the_next_downtime(esi: SimulatedEsi) -> None:
    before = esi.get("/universe/types/587")
    esi.control("clock", advance=86_400)
    after = esi.get("/universe/types/587", {"If-None-Match": before.headers["etag"]})

    assert parsedate_to_datetime(before.headers["expires"]).strftime("%H:%M:%S") == "11:05:00"
    assert before.headers["etag"].startswith('W/"')
    assert (after.status, after.body) == (200, before.body)
    assert esi.get("/universe/types/587", {"If-None-Match": after.headers["etag"]}).status == 304


def test_names_are_resolved_for_everything_that_has_one(esi: SimulatedEsi) -> None:
    ids = {
        587: "inventory_type",
        60003760: "station",
        30000142: "solar_system",
        20000020: "constellation",
        FORGE: "region",
        95_465_499: "character",
        98_356_193: "corporation",
        99_003_214: "alliance",
        1_314_102_096: "character",
    }
    answer = esi.post("/universe/names", list(ids))

    assert valid("names", answer.content)
    assert {row["id"]: row["category"] for row in answer.content} == ids
    assert answer.content[0]["name"] == "Rifter"
    assert answer.content == esi.post("/latest/universe/names/", list(ids)).content


def test_every_issuer_on_the_market_has_a_name(esi: SimulatedEsi) -> None:
    rows = [row for region in (FORGE, 10000043) for row in esi.get(f"/contracts/public/{region}").content]
    ids = {row[name] for row in rows for name in ("issuer_id", "issuer_corporation_id")}

    for start in range(0, len(ids), 1000):
        assert esi.post("/universe/names", sorted(ids)[start : start + 1000]).status == 200


def test_one_unknown_id_fails_the_whole_batch(esi: SimulatedEsi) -> None:
    answer = esi.post("/universe/names", [587, 1_035_000_000_000])

    assert (answer.status, answer.content) == (404, {"error": "Ensure all IDs are valid before resolving."})


@pytest.mark.parametrize("body", [b"{", [], {}, ["587"], [587, 587], [True], list(range(1, 1002))])
def test_a_batch_that_is_no_batch_is_refused(esi: SimulatedEsi, body: object) -> None:
    assert esi.post("/universe/names", body).status == 400


def test_what_esi_does_not_have_is_refused(esi: SimulatedEsi) -> None:
    assert esi.get("/universe/planets/1").status == 404
    assert esi.get("/universe/names").status == 405
    assert esi.post("/status", {}).status == 405


def test_the_static_data_agree_with_themselves() -> None:
    groups = {group.group_id: group for group in universe.groups()}
    categories = {category.category_id for category in universe.categories()}
    regions = {region.region_id for region in universe.regions()}
    systems = {system.system_id: system for system in universe.systems()}

    assert all(item.group_id in groups for item in universe.types())
    assert all(group.category_id in categories for group in groups.values())
    assert all(one.region_id in regions for one in universe.constellations())
    assert all(systems[station.system_id].region_id == station.region_id for station in universe.stations())
    assert sum(1 for _ in universe.types()) == 27_310
