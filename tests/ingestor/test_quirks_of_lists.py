"""Lists, caches and what they bring, quirk by quirk: each case is named by the fact that it protects.

`docs/upstream.md` has them all. The cases share a database; each has a region and contracts of its own.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import create_engine
from common.events import Dataset, IngestRequested, ItemsWanted, Scope
from common.ids import new_id
from ingestor.esi.cache import ResponseCache
from ingestor.esi.client import COMPATIBILITY_DATE, Traffic
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.market import best_orders
from ingestor.stores import dynamic_items
from support.databases import Databases, settings_for
from support.ingestion import Ingestion, client, contract, ingestion, public_contracts, whole_list
from support.scripted_esi import Asked, ScriptedEsi, answer, listed, scripted_esi

PAGE = 3
GENERATIONS = [f"Sun, 01 Nov 2026 1{hour}:00:00 GMT" for hour in range(10)]
NOON, SOON = "Sun, 01 Nov 2026 12:00:00 GMT", "Sun, 01 Nov 2026 12:30:00 GMT"
THOUSANDS = count(1)
TRITANIUM = {"record_id": 1, "type_id": 34, "quantity": 1, "is_included": True}
COPY = {**TRITANIUM, "record_id": 5302078925, "item_id": 1047092007473, "type_id": 1137, "is_blueprint_copy": True}
LATE = datetime(2056, 11, 28, tzinfo=UTC)
ADDRESSES = {
    "/contracts/public/*?page=*",
    "/contracts/public/items/*",
    "/contracts/public/bids/*",
    "/dogma/dynamic/items/*/*",
    "/markets/*/orders?order_type=all&page=*",
    "/markets/prices",
    "/universe/names",
    "/universe/regions",
    "/universe/types/*",
}
"""None with a version, a slash at its end or a datasource."""
PUT_TO_ASK = """
UPDATE contracts SET delisted_at = now(), outcome = 'unknown', outcome_due_at = now(), items_due_at = NULL
 WHERE contract_id = :gone
"""
NOT_FOUND = answer({"error": "Contract not found"}, 404)


@pytest.fixture(scope="module")
def shared(databases: Databases) -> Iterator[str]:
    with databases.fresh("settled") as url:
        yield url


@pytest.fixture
async def engine(shared: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings_for(shared), service="test")
    yield engine
    await engine.dispose()


@pytest.fixture
def first() -> int:
    """The first of a thousand ids that are this test's own; its region, too."""
    return next(THOUSANDS) * 1000


def row(contract_id: int, **fields: Any) -> dict[str, Any]:
    return {
        "contract_id": contract_id,
        "type": "item_exchange",
        "date_issued": "2026-10-31T12:00:00Z",
        "date_expired": "2056-11-28T12:00:00Z",
        "issuer_id": 90000001,
        "issuer_corporation_id": 98000001,
        **fields,
    }


def page(rows: Sequence[Mapping[str, Any]], asked: Asked, generation: int = 0, **headers: str | None) -> bytes:
    """The page that was asked for, of `rows` in pages of three; it has its ETag, and a 304 for whoever knows it."""
    number = int(asked.target.rpartition("page=")[2])
    body = rows[(number - 1) * PAGE : number * PAGE]
    etag = f'"{hash(json.dumps(body))}"'
    named: dict[str, str | None] = {
        "ETag": etag,
        "Last_Modified": GENERATIONS[generation],
        "X_Pages": str(max(-(-len(rows) // PAGE), 1)),
    }
    if asked.headers.get("if-none-match") == etag and headers.get("ETag", etag):
        return answer(b"", 304, Content_Length=None, **{**named, **headers})
    return listed(body, **{**named, **headers})


async def sweep(ingestor: Ingestion, region_id: int) -> Any:
    run_id = new_id()
    scope = Scope(region_id=region_id)
    await ingestor.deliver(IngestRequested(dataset=Dataset.CONTRACTS, scope=scope, run_id=run_id, force=True))
    return await ingestor.run(run_id)


async def live(ingestor: Ingestion, region_id: int) -> list[int]:
    query = "SELECT contract_id FROM contracts WHERE region_id = :id AND delisted_at IS NULL ORDER BY 1"
    return [found.contract_id for found in await ingestor.rows(query, id=region_id)]


# The list


@pytest.mark.parametrize("words", ["Requested page does not exist!", "ItemNotFound", "ConStopSpamming remainingTime 9"])
async def test_a_title_that_holds_esis_own_words_is_a_title(engine: AsyncEngine, first: int, words: str) -> None:
    rows = [row(first + number, title=words) for number in range(7)]

    async with scripted_esi(lambda asked: page(rows, asked)) as esi, client(esi.url) as upstream:
        listing = await public_contracts(engine, upstream, first, Traffic())

    assert (len(listing.rows), listing.flaw, len(esi.asked)) == (7, None, 3)


async def test_what_vanished_from_pages_without_etags_is_gone(engine: AsyncEngine, first: int) -> None:
    rows = [row(first + number, type="courier") for number in range(7)]
    generation = 0

    def script(asked: Asked) -> bytes:
        return page(rows, asked, generation, ETag=None)

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor, first)
        generation = 1
        del rows[1]
        run = await sweep(ingestor, first)

        assert (run.delisted, run.unchanged) == (1, 6)
        assert await live(ingestor, first) == [found["contract_id"] for found in rows]


async def test_a_304_that_does_not_say_how_many_pages_there_are_holds_up_no_growing_list(
    engine: AsyncEngine, first: int
) -> None:
    rows = [row(first + number, type="courier") for number in range(5)]
    generation = 0

    def script(asked: Asked) -> bytes:
        said = page(rows, asked, generation)
        return page(rows, asked, generation, X_Pages=None) if b" 304 " in said[:20] else said

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor, first)
        generation = 1
        rows += [row(first + number, type="courier") for number in range(5, 8)]
        run = await sweep(ingestor, first)

        assert (run.state, run.listed) == ("succeeded", 3)


@pytest.mark.parametrize("kind", ["courier", "loan", "unknown", "swap"])
async def test_what_shows_no_items_is_never_asked_for_any(engine: AsyncEngine, first: int, kind: str) -> None:
    async with (
        scripted_esi(lambda asked: page([row(first, type=kind)], asked)) as esi,
        ingestion(engine, esi.url) as ingestor,
    ):
        run = await sweep(ingestor, first)
        await ingestor.deliver(ItemsWanted(region_id=first, contract_ids=(first,)))

        assert (run.state, run.items_wanted, len(esi.asked)) == ("succeeded", 0, 1)
        found = await ingestor.row("SELECT items_state, bids_due_at FROM contracts WHERE contract_id = :id", id=first)
        assert tuple(found) == ("none", None)


async def test_money_and_numbers_are_stored_as_they_are(engine: AsyncEngine, first: int) -> None:
    told = row(236_000_000_000 + first, type="courier", price=0, reward=29999990.5, collateral=9007199254740.91)
    told |= {"start_location_id": 1035466617946, "issuer_id": 2_147_483_999, "title": "a \\ \U0001f680"}

    async with scripted_esi(lambda asked: page([told], asked)) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor, first)

        found = await ingestor.row("SELECT * FROM contracts WHERE region_id = :id", id=first)
        assert {name: getattr(found, name) for name in told if "date" not in name} == {
            name: value if name != "collateral" else found.collateral
            for name, value in told.items()
            if "date" not in name
        }
        assert str(found.collateral) == "9007199254740.91"
        assert (found.buyout, found.volume, found.days_to_complete) == (None, None, None)


# Items


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(answer({"error": "Contract not public"}, 403), id="403 Contract not public (#1236)"),
        pytest.param(
            answer({"error": "Contract accepted by player, requires authorization"}, 403), id="403 accepted (#1242)"
        ),
        pytest.param(NOT_FOUND, id="404 Contract not found"),
        pytest.param(answer(b"", 204, Content_Length=None), id="204 (#1237)"),
        pytest.param(answer([]), id="an empty list"),
    ],
)
async def test_a_refusal_while_a_contract_is_listed_is_no_end_of_it(
    engine: AsyncEngine, first: int, before: bytes
) -> None:
    replies = [before, answer([COPY, {**TRITANIUM, "is_included": False}], X_Pages="1")]

    def script(asked: Asked) -> bytes:
        return replies.pop(0) if "/items/" in asked.target else page([row(first)], asked)

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor, first)
        query = "SELECT * FROM contracts WHERE contract_id = :id"
        refused = await ingestor.row(query, id=first)
        await ingestor.deliver(ItemsWanted(region_id=first, contract_ids=(first,)))
        found = await ingestor.row(query, id=first)

        assert (refused.items_state, refused.items_attempts, refused.delisted_at) == ("wanted", 1, None)
        assert (found.items_state, found.composition, found.delisted_at) == ("stored", "exchange", None)
        records = await ingestor.rows("SELECT record_id, item_id FROM contract_items WHERE contract_id = :id", id=first)
        assert {tuple(record) for record in records} == {(1, None), (5302078925, 1047092007473)}
        assert len(esi.asked) == 3


async def test_a_listed_contract_whose_time_is_over_is_asked_for_once_and_stays_in_the_list(
    engine: AsyncEngine, first: int
) -> None:
    rows = [row(first, date_expired="2026-10-31T23:00:00Z")]

    def script(asked: Asked) -> bytes:
        return NOT_FOUND if "/items/" in asked.target else page(rows, asked)

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await sweep(ingestor, first)
        await ingestor.deliver(ItemsWanted(region_id=first, contract_ids=(first,)))

        found = await ingestor.row("SELECT * FROM contracts WHERE contract_id = :id", id=first)
        assert (found.items_state, found.items_attempts, found.delisted_at) == ("failed", 1, None)
        assert len(esi.asked) == 2


NEW_TYPE = {"type_id": 900001, "name": "Thing", "group_id": 900002, "published": True, "description": ""}
NEW_GROUP = {"group_id": 900002, "name": "Things", "category_id": 4, "published": True, "types": []}


@pytest.mark.parametrize(
    ("item", "kind", "group"),
    [
        pytest.param({"is_included": False}, None, None, id="of a requested item"),
        pytest.param({}, {**NEW_TYPE, "name": " "}, NEW_GROUP, id="nameless"),
        pytest.param({}, {**NEW_TYPE, "type_id": 900003}, NEW_GROUP, id="another than asked for"),
        pytest.param({}, NEW_TYPE, None, id="its group is not there"),
        pytest.param({}, NEW_TYPE, {**NEW_GROUP, "category_id": None}, id="its group has no category"),
        pytest.param({}, NEW_TYPE, {**NEW_GROUP, "name": ""}, id="its group is nameless"),
    ],
)
async def test_a_contract_is_not_described_by_a_type_that_is_not(
    engine: AsyncEngine, first: int, item: dict[str, Any], kind: dict[str, Any] | None, group: dict[str, Any] | None
) -> None:
    held = [TRITANIUM, {**TRITANIUM, "record_id": 2, "type_id": 900001, **item}]
    routes = {"items": held, "types": kind, "groups": group}

    def script(asked: Asked) -> bytes:
        name = asked.target.split("/")[-2]
        return answer({"error": "not found"}, 404) if routes[name] is None else answer(routes[name])

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.merge(whole_list(contract(first, date_expired=LATE), region_id=first))
        await ingestor.deliver(ItemsWanted(region_id=first, contract_ids=(first,)))

        found = await ingestor.row("SELECT * FROM contracts WHERE contract_id = :id", id=first)
        assert (found.items_state, found.items_attempts, found.label) == ("wanted", 1, None)
        assert await ingestor.value("SELECT count(*) FROM contract_items WHERE contract_id = :id", id=first) == 0


# What is kept


async def readings(
    engine: AsyncEngine, path: str, said: Callable[[Asked], bytes], times: int = 2
) -> tuple[list[bytes | None], list[bool], ScriptedEsi]:
    """The bodies of some readings one after the other (None: unavailable), whether each was new, and what was asked."""
    bodies: list[bytes | None] = []
    changed: list[bool] = []
    async with scripted_esi(said) as esi, client(esi.url) as upstream:
        for _ in range(times):
            try:
                found = await ResponseCache(engine, upstream).get(path, traffic=Traffic())
            except UpstreamUnavailableError:
                bodies.append(None)
            else:
                bodies.append(found.body)
                changed.append(found.changed)
    return bodies, changed, esi


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        pytest.param({}, 1, id="Expires in half an hour"),
        pytest.param({"Age": "1700", "Cache_Control": "public, max-age=0"}, 1, id="Expires is ESI's word, not max-age"),
        pytest.param({"Expires": None, "Cache_Control": "max-age=1800"}, 3, id="no Expires"),
        pytest.param({"Expires": NOON}, 3, id="expired as it was sent"),
        pytest.param({"Expires": "0"}, 3, id="zero"),
        pytest.param({"Expires": None, "Cache_Control": "no-store"}, 3, id="no-store"),
        pytest.param({"Date": None}, 3, id="no Date"),
        pytest.param({"X_Pages": "99999999999"}, 1, id="X-Pages beyond all numbers"),
        pytest.param({"X_Pages": "many"}, 1, id="X-Pages garbled"),
    ],
)
async def test_an_answer_is_as_fresh_as_its_expires_says(
    engine: AsyncEngine, first: int, headers: dict[str, str | None], asked: int
) -> None:
    named = {"Date": NOON, "Expires": SOON, "Last_Modified": NOON, "ETag": '"a"', **headers}

    bodies, _, esi = await readings(engine, f"/{first}", lambda _: answer([1], 200, **named), times=3)

    assert (bodies, len(esi.asked)) == ([b"[1]"] * 3, asked)


async def test_a_304_makes_what_is_kept_fresh_again(engine: AsyncEngine, first: int) -> None:
    def script(asked: Asked) -> bytes:
        if "if-modified-since" in asked.headers:
            return answer(b"", 304, Date=NOON, Expires=SOON, Content_Length=None)
        return answer([1], Date=NOON, Expires=NOON, Last_Modified=NOON)

    bodies, changed, esi = await readings(engine, f"/{first}", script, times=4)

    assert (bodies, changed, len(esi.asked)) == ([b"[1]"] * 4, [True, False, False, False], 2)


async def test_an_etag_that_changed_with_a_downtime_makes_no_body_new(engine: AsyncEngine, first: int) -> None:
    tags = iter(['W/"2026-11-01"', 'W/"2026-11-02"'])

    bodies, changed, _ = await readings(
        engine, f"/{first}", lambda _: answer([1], ETag=next(tags), Date=NOON, Expires=NOON, Last_Modified=NOON)
    )

    assert (bodies, changed) == ([b"[1]"] * 2, [True, False])


@pytest.mark.parametrize("bad", [b"", b"<html>Bad Gateway</html>", b"[1, 2", b'{"error": "soon"}', b"null"])
async def test_what_is_no_list_never_takes_the_place_of_one(engine: AsyncEngine, first: int, bad: bytes) -> None:
    said = [(bad, SOON), (b"[1]", NOON), (bad, SOON)]

    def script(asked: Asked) -> bytes:
        if not said:
            assert asked.headers["if-none-match"] == '"a"'
            return answer(b"", 304, ETag='"a"', Date=NOON, Expires=NOON, Last_Modified=NOON, Content_Length=None)
        body, expires = said.pop(0)
        return answer(body, ETag='"a"', Date=NOON, Expires=expires, Last_Modified=NOON)

    bodies, _, _ = await readings(engine, f"/{first}", script, times=4)

    assert bodies == [bad, b"[1]", bad, b"[1]"]


# The orders


@pytest.mark.parametrize(("status", "words"), [(404, ""), (500, "Undefined 404 response. Original message: ")])
async def test_a_page_of_orders_that_vanished_means_another_generation(status: int, words: str) -> None:
    def script(asked: Asked) -> bytes:
        if asked.target.endswith("page=1"):
            return listed([], X_Pages="2")
        return answer({"error": f"{words}Requested page does not exist!"}, status)

    async with scripted_esi(script) as esi, client(esi.url) as upstream:
        with pytest.raises(UpstreamUnavailableError, match="kept changing"):
            await best_orders(upstream, Traffic(), newer_than=None)

        assert len(esi.asked) == 4


# All requests


async def test_every_dataset_asks_by_todays_addresses_and_says_who_asks(engine: AsyncEngine, first: int) -> None:
    def script(asked: Asked) -> bytes:
        if "/items/" in asked.target and asked.target.startswith("/contracts"):
            return answer([{**TRITANIUM, "type_id": 900009}])
        return listed([]) if asked.target.startswith(f"/contracts/public/{first}") else answer([], 404)

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.merge(
            whole_list(
                contract(first, date_expired=LATE, start_location_id=1035466617946),
                contract(first + 1, date_expired=LATE, type="auction", end_location_id=60_999_999),
                contract(first + 2),
                region_id=first,
            )
        )
        await ingestor.execute(PUT_TO_ASK, gone=first + 2)
        async with engine.begin() as connection:
            await dynamic_items.want(connection, [(1047092007473, 47702, 1)])
        await ingestor.deliver(ItemsWanted(region_id=first, contract_ids=(first,)))
        for dataset in Dataset:
            scope = Scope(region_id=first) if dataset is Dataset.CONTRACTS else Scope()
            await ingestor.deliver(IngestRequested(dataset=dataset, scope=scope, run_id=new_id(), force=True))

        assert {re.sub(r"\d+", "*", asked.target) for asked in esi.asked} == ADDRESSES
        for asked in esi.asked:
            assert "tests@example.com" in asked.headers["user-agent"]
            assert asked.headers["x-compatibility-date"] == COMPATIBILITY_DATE
            assert asked.headers["accept-encoding"] == "gzip"


async def test_names_are_asked_for_by_a_thousand_ids_at_most_and_each_once(engine: AsyncEngine) -> None:
    def script(asked: Asked) -> bytes:
        ids = json.loads(asked.body)
        return answer([{"id": number, "name": f"N{number}", "category": "faction"} for number in ids])

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.execute("UPDATE names SET due_at = NULL")
        await ingestor.execute(
            "UPDATE runs SET finished_at = now() - interval '61 seconds' WHERE finished_at IS NOT NULL"
        )
        await ingestor.execute(
            "INSERT INTO names (entity_id, due_at) SELECT 2e9 + n, now() FROM generate_series(1, 1500) n"
        )
        await ingestor.deliver(IngestRequested(dataset=Dataset.NAMES, run_id=new_id()))

        batches = [json.loads(asked.body) for asked in esi.asked]
        assert [len(batch) for batch in batches] == [1000, 500]
        assert len({number for batch in batches for number in batch}) == 1500


async def test_no_upsert_has_to_name_the_predicate_of_a_unique_index(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indisunique AND indpred IS NOT NULL"
            " AND indrelid::regclass::text NOT LIKE 'pg_%'"
        )

        assert found.all() == []
