"""The benchmark of reading, on a tiny market: that what it measures is what it says, not how fast that is."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from bench.read import copies, cursors, figures, seed
from bench.read.__main__ import CLIENTS, Bench, Effort, loading
from bench.read.copies import Size
from bench.read.load import Taken
from bench.read.queries import QUERIES, Pools, pools
from bench.read.server import running_api
from common.database import create_engine
from ingestor.domain.summary import VERSION
from ingestor.esi.items import ItemsRead
from ingestor.esi.models import PublicItem
from ingestor.stores import indexing, places, sql, valuing
from ingestor.stores.items import _summary_row, described, facts_of
from support.databases import Databases, settings_for

WORDS = "SELECT contract_id, words::text FROM contract_words ORDER BY contract_id"
TINY = Size("tiny", live=90, stored=200, seed=120)
SUMMARY = """
SELECT contract_id, label, composition, contains_ship, items_offered, items_requested, is_blueprint_copy,
       material_efficiency, time_efficiency, runs, packaged_volume, value_buy, value_sell, value_average, value_lines,
       value_lines_priced, '{' || array_to_string(facets, ',') || '}', offers_copy, offers_rolled, most_runs,
       most_material_efficiency, most_time_efficiency, units
  FROM contracts WHERE items_state = 'stored' ORDER BY contract_id
"""


def nothing(_: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def market(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A market that was multiplied, for all tests of this module; they only read."""
    with databases.fresh("settled") as url:
        asyncio.run(seed.grow(url, tmp_path_factory.mktemp("market"), contracts=TINY.seed))
        asyncio.run(copies.multiply(url, TINY, nothing))
        yield url


@pytest.fixture
async def connection(market: str) -> Any:
    connection = await asyncpg.connect(market)
    yield connection
    await connection.close()


async def test_a_market_has_the_size_that_was_asked_for(connection: Any) -> None:
    counts = await connection.fetchrow(copies.COUNTS)
    impossible = await connection.fetchval("""
        SELECT count(*) FROM contracts
         WHERE date_expired <= date_issued OR listed_at < date_issued OR delisted_at < listed_at
            OR (outcome = 'expired') IS TRUE <> (delisted_at >= date_expired) IS TRUE
    """)
    unnamed = await connection.fetchval("""
        SELECT count(*) FROM contracts c
         WHERE NOT EXISTS (SELECT FROM names WHERE entity_id = c.issuer_id AND name IS NOT NULL)
            OR NOT EXISTS (SELECT FROM names WHERE entity_id = c.issuer_corporation_id AND name IS NOT NULL)
    """)

    assert (counts["contracts"], counts["live"]) == (TINY.stored, TINY.live)
    assert counts["items"] > TINY.stored
    assert (impossible, unnamed) == (0, 0)


async def test_the_ingestor_would_fill_every_copy_as_it_is(market: str) -> None:
    engine = create_engine(settings_for(market), service="test")
    async with engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        stored = [tuple(row) for row in await raw.fetch(SUMMARY)]
        items: dict[int, list[PublicItem]] = {row[0]: [] for row in stored}
        columns = ", ".join(sql.ITEM_COLUMNS)
        for row in await raw.fetch(f"SELECT {columns} FROM contract_items ORDER BY contract_id, record_id"):  # noqa: S608
            named = dict(row)
            items[named.pop("contract_id")].append(PublicItem(**named))
        read = [ItemsRead(contract_id, tuple(held)) for contract_id, held in items.items()]
        facts = await facts_of(connection, {item.type_id for entry in read for item in entry.items})
        derived = [_summary_row(each) for each in await described(connection, read, facts)]
        placed, revalued = await raw.execute(places.PLACE), await valuing.revalue(connection)
        found_by = await raw.fetch(WORDS)
        await indexing.index(connection, [contract_id for contract_id, _ in found_by])
        found_by_now = await raw.fetch(WORDS)
        await connection.rollback()
        unread = await raw.fetchval("SELECT count(*) FROM contracts WHERE enrichment_version <> $1", VERSION)
    await engine.dispose()

    assert len(stored) > TINY.stored / 2
    assert derived == stored
    assert (len(found_by), found_by_now) == (TINY.stored, found_by)
    assert (placed, revalued, unread) == ("UPDATE 0", 0, 0)


async def test_what_is_counted_as_it_is_written_is_counted(connection: Any) -> None:
    counted = await connection.fetch("""
        SELECT kind, id, sum(contracts)::int FROM (
          TABLE listed_counts UNION ALL TABLE listed_count_changes) AS parts (kind, id, contracts)
         GROUP BY kind, id HAVING sum(contracts) <> 0 ORDER BY kind, id
    """)
    listed = await connection.fetch("""
        SELECT k.kind, k.id, count(*)::int
          FROM contracts c, LATERAL (
                 SELECT * FROM counted_by(type, facets, region_id, system_id, start_location_id)
                  UNION ALL SELECT 'price ' || type, price_bucket(price) WHERE price IS NOT NULL) k
         WHERE delisted_at IS NULL
           AND date_expired > coalesce((SELECT expires_after FROM listed_count_horizon), '-infinity')
         GROUP BY k.kind, k.id ORDER BY k.kind, k.id
    """)

    assert len(counted) > 100
    assert counted == listed


async def test_every_column_that_tells_contracts_apart_is_filled(connection: Any) -> None:
    alike = [
        name
        for name in (
            "price",
            "title",
            "date_issued",
            "start_location_id",
            "issuer_id",
            "label",
            "value_ratio",
            "facets",
        )
        if await connection.fetchval(f"SELECT count(DISTINCT {name}) FROM contracts") < 10  # noqa: S608 - our own names
    ]

    assert alike == []


def test_a_measurement_has_its_figures_and_floors(market: str, tmp_path: Path) -> None:
    by_name = {query.name: query for query in QUERIES}
    with running_api(tmp_path, market) as served, loading(served.port) as load:
        known = asyncio.run(pools(market))
        known = with_cursors(known, market)
        bench = Bench(load, served, known, market, postgres=psutil.Process(), effort=Effort(0.1, 2))
        found = {
            f"{name}_small_c{clients}": bench.measure(by_name[name], clients)
            for name in ("page_hot", "page_deep", "detail")
            for clients in CLIENTS
        }
        asked = [set(bench.paths(by_name["detail"], clients, turn)) for clients, turn in product(CLIENTS, range(2))]

    assert all(asked)
    assert len(set.union(*asked)) == sum(map(len, asked))
    for one in found.values():
        assert 0 < one["p50_ms"] <= one["p99_ms"]
        assert one["requests_per_second"] > 0
        assert one["floor"].keys() == {"constant", "statement"}
    assert len(figures.table(found).splitlines()) == 2 + len(found)


def with_cursors(known: Pools, market: str) -> Pools:
    return Pools(**{**vars(known), "cursors": asyncio.run(cursors.anywhere(market))})


def test_no_path_is_asked_for_twice_and_the_same_seed_makes_the_same(market: str) -> None:
    known = with_cursors(asyncio.run(pools(market)), market)

    for query in QUERIES:
        paths = query.paths(known, seed=1, most=50)
        assert len(set(paths)) == len(paths)
        assert paths == query.paths(known, seed=1, most=50)
        assert len(paths) == 1 if query.hot else paths


def measured(**other: Any) -> Mapping[str, Any]:
    constant = {"p50_ms": 0.1, "p99_ms": 0.2, "requests_per_second": 1000.0, "api_us": 80}
    plain = {"clients": 1, "p50_ms": 0.5, "p99_ms": 0.9, "requests_per_second": 500.0, "body_bytes": 10}
    plain |= {"api_us": 200, "postgres_us": 300}
    return {**plain, "floor": {"constant": constant, "statement": constant}, **other}


def test_what_misses_its_goal_is_named() -> None:
    found = {
        "page_hot_small_c1": measured(),
        "page_hot_small_c32": measured(clients=32),
        "detail_small_c1": measured(p99_ms=6.0),
        "detail_large_c1": measured(p99_ms=13.0),
    }

    assert figures.verdict(found) == [
        "page_hot_small_c32: 50% of the constant body's requests, not 60%",
        "detail_small_c1: p99 6.0 ms, not 5",
        "detail_large_c1: p99 13.0 ms, not 5",
        "detail_large_c1: p99 13.0 ms, 6.0 ms before",
    ]


def test_of_several_rounds_the_middle_of_each_figure_counts() -> None:
    rounds = [measured(p50_ms=p50, p99_ms=p99) for p50, p99 in ((0.5, 9.0), (0.7, 2.0), (0.6, 3.0))]

    assert figures.middle(rounds) == measured(p50_ms=0.6, p99_ms=3.0)


def test_percentiles_are_of_all_answers() -> None:
    taken = Taken(ended=10**9)
    for number in range(1, 101):
        taken.note(0, number * 1_000_000, 200, 7)

    found = taken.as_json()

    assert (found["p50_ms"], found["p99_ms"], found["max_ms"]) == (51.0, 100.0, 100.0)
    assert (found["requests_per_second"], found["body_bytes"]) == (100.0, 7)
