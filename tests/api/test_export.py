import asyncio
import csv
import gzip
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
import arro3.io
import pytest

from api.queries.export import COLUMNS
from support.market_rows import JITA_STATION, NOW, STRUCTURE, MarketRows
from support.served_api import ServedApi, api_settings, served

EXPORT = "/api/v1/contracts/export"
FORMATS = ("ndjson", "csv", "parquet")
# https://docs.everef.net/datasets/public-contracts, contracts.csv
EVE_REF = (
    *("collateral", "contract_id", "date_expired", "date_issued", "days_to_complete", "end_location_id"),
    *("issuer_corporation_id", "issuer_id", "price", "reward", "start_location_id", "title", "type", "volume"),
    *("for_corporation", "buyout"),
    *("http_last_modified", "region_id", "station_id", "system_id", "constellation_id"),
)
TITLE = 'a "quoted"\ttitle,\r\nover\\two lines, ünd \x01\x02 more; \\. \N{SNOWMAN}'
MANY = """
INSERT INTO contracts (contract_id, region_id, type, issuer_id, issuer_corporation_id, for_corporation, date_issued,
                       date_expired, items_state, title)
SELECT n, 10000002, 'item_exchange', 1, 1, false, now(), now() + interval '9 days', 'stored',
       (SELECT string_agg(encode(sha512(cast(n || ' ' || line AS bytea)), 'hex'), ' ')
          FROM generate_series(1, cast(:lines AS int)) AS line)
  FROM generate_series(cast(:first AS int), cast(:last AS int)) AS n
"""
LONG = 8
"""Lines of a title, 128 characters each, with which some ten thousand rows are more than connections hold unread."""
EXPORTING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freeport-api-export'"


def parquet(body: bytes) -> list[dict[str, Any]]:
    table: Any = arro3.io.read_parquet(io.BytesIO(body)).read_all()
    columns: dict[str, list[Any]] = {name: [value.as_py() for value in table[name]] for name in table.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=Decimal) for line in body.splitlines()]


def sheet(body: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


@asynccontextmanager
async def open_export(api: ServedApi, **params: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """An export whose client reads nothing by itself."""
    connector = aiohttp.TCPConnector()
    async with (
        aiohttp.ClientSession(connector=connector, read_bufsize=1024) as session,
        session.get(api.url + EXPORT, params=params) as answer,
    ):
        yield answer


async def one_runs(rows: MarketRows) -> None:
    for _ in range(200):
        if (await rows.execute(EXPORTING))[0][0] == 1:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("no export runs")


async def none_runs(rows: MarketRows) -> None:
    """Wait until PostgreSQL has ended every export; it looks after its clients once a second."""
    for _ in range(100):
        if (await rows.execute(EXPORTING))[0][0] == 0:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("an export's query goes on")


async def two_contracts(rows: MarketRows) -> None:
    await rows.coverage()
    await rows.contract(
        1,
        title=TITLE,
        price=Decimal("123456789012345.67"),
        volume=0.1,
        start_location_id=JITA_STATION,
        system_id=30000142,
        value_sell=Decimal(10),
    )
    await rows.contract(
        2, type="courier", items_state="none", title="", contains_ship=None, start_location_id=STRUCTURE
    )


async def test_all_formats_say_the_same(api: ServedApi, rows: MarketRows) -> None:
    await two_contracts(rows)

    bodies = {written: (await api.get(EXPORT, params={"format": written})).body for written in FORMATS}

    by_line, by_sheet, by_parquet = (
        sorted(read(bodies[written]), key=lambda row: int(row["contract_id"]))
        for written, read in zip(FORMATS, (lines, sheet, parquet), strict=True)
    )
    assert [list(row) for row in (by_line[0], by_sheet[0], by_parquet[0])] == [[c.name for c in COLUMNS]] * 3
    for line, row, stored in zip(by_line, by_sheet, by_parquet, strict=True):
        for column in COLUMNS:
            assert same(line[column.name], stored[column.name]), column
            assert as_text(stored[column.name]) == row[column.name] or column.kind in {"number", "text"}, column
    assert [row["title"] for row in by_line] == [row["title"] for row in by_parquet] == [TITLE, ""]
    assert by_sheet[0]["title"] == TITLE
    assert by_line[0]["price"] == by_parquet[0]["price"] == Decimal("123456789012345.67")
    assert (by_line[0]["station_id"], by_line[0]["constellation_id"]) == (JITA_STATION, 20000020)
    assert (by_line[1]["station_id"], by_line[1]["contains_ship"]) == (None, None)


def same(line: Any, stored: Any) -> bool:
    if isinstance(stored, datetime):
        return datetime.fromisoformat(line) == stored
    return bool(float(line) == stored if isinstance(stored, float) else line == stored)


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value).lower() if isinstance(value, bool) else str(value)


async def test_the_first_columns_are_eve_refs(api: ServedApi) -> None:
    [head] = (await api.get(EXPORT, params={"format": "csv"})).body.decode().splitlines()

    assert head.split(",")[: len(EVE_REF)] == list(EVE_REF)


async def test_filters_hold_as_in_lists(api: ServedApi, rows: MarketRows) -> None:
    await two_contracts(rows)
    await rows.contract(3, delisted_at=NOW)

    await rows.execute(
        "INSERT INTO contract_words (contract_id, words) VALUES (2, array_to_tsvector(ARRAY['=rifter']))"
    )
    asked = (
        "q=rifter",
        "contract_type=courier",
        "contract_type=courier&contract_type=item_exchange",
        "state=all",
        "price_min=1",
    )
    found = [sorted(row["contract_id"] for row in lines((await api.get(f"{EXPORT}?{q}")).body)) for q in asked]

    assert found == [[2], [2], [1, 2], [1, 2, 3], [1]]


@pytest.mark.parametrize("written", FORMATS)
async def test_nothing_is_a_whole_file_too(api: ServedApi, written: str) -> None:
    reply = await api.get(EXPORT, params={"format": written})

    read = dict(zip(FORMATS, (lines, sheet, parquet), strict=True))[written]
    assert (reply.status, read(reply.body)) == (200, [])
    assert reply.headers["Content-Disposition"] == f'attachment; filename="contracts.{written}"'
    assert reply.headers["Cache-Control"] == "no-store"


async def test_text_is_gzipped_for_who_takes_it(api: ServedApi, rows: MarketRows) -> None:
    await two_contracts(rows)
    plain = await api.get(EXPORT, headers={"Accept-Encoding": "identity"})

    packed = await api.get(EXPORT, headers={"Accept-Encoding": "gzip"}, auto_decompress=False)
    columns = await api.get(f"{EXPORT}?format=parquet", headers={"Accept-Encoding": "gzip"}, auto_decompress=False)

    assert packed.headers["Content-Encoding"] == "gzip"
    assert sorted(gzip.decompress(packed.body).splitlines()) == sorted(plain.body.splitlines())
    assert "Content-Encoding" not in columns.headers


@pytest.mark.parametrize("query", ["format=xls", "region_id=1", "limit=5", "price_min=-1"])
async def test_what_makes_no_sense_is_refused_before_anything_is_sent(api: ServedApi, query: str) -> None:
    reply = await api.get(f"{EXPORT}?{query}")

    assert reply.status == 422
    assert reply.wrong_fields == [query.partition("=")[0]]
    assert "Content-Disposition" not in reply.headers


@pytest.mark.parametrize("written", FORMATS)
async def test_without_a_database_it_is_a_problem(stranded: ServedApi, written: str) -> None:
    reply = await stranded.get(EXPORT, params={"format": written})

    assert (reply.status, reply.headers["Content-Type"]) == (503, "application/problem+json")


async def test_head_exports_nothing(api: ServedApi, rows: MarketRows) -> None:
    async with rows.locked("contracts"):
        reply = await api.ask("HEAD", EXPORT)

    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, b"", "application/x-ndjson")


@pytest.mark.parametrize("written", FORMATS)
async def test_a_client_that_reads_slowly_gets_one_moments_rows_long_after_any_deadline(
    database_url: str, rows: MarketRows, written: str
) -> None:
    await rows.execute(MANY, first=1, last=20_000, lines=LONG)

    async with (
        served(api_settings(database_url, api_database_timeout=0.4)) as api,
        open_export(api, format=written) as answer,
    ):
        begun = await answer.content.read(10)
        await rows.execute("DELETE FROM contracts WHERE contract_id > 1000")
        await rows.execute(MANY, first=100_001, last=100_010, lines=LONG)
        await asyncio.sleep(1)
        body = begun + await answer.content.read()

    read = dict(zip(FORMATS, (lines, sheet, parquet), strict=True))[written]
    assert sorted(int(row["contract_id"]) for row in read(body)) == list(range(1, 20_001))


async def test_so_many_at_once_and_no_more_and_others_are_answered_meanwhile(
    database_url: str, rows: MarketRows
) -> None:
    await rows.execute(MANY, first=1, last=20_000, lines=LONG)

    async with served(api_settings(database_url, api_exports=1, database_pool_size=1)) as api:
        async with open_export(api) as answer:
            await answer.content.read(10)
            refused = await api.get(EXPORT)
            others = [(await api.get("/api/v1/contracts/1")).status for _ in range(3)]
        await none_runs(rows)
        later = await api.get(EXPORT)

    assert (refused.status, refused.headers["Retry-After"]) == (503, "30")
    assert others == [200] * 3
    assert len(lines(later.body)) == 20_000


@pytest.mark.parametrize("written", FORMATS)
async def test_a_client_that_goes_away_ends_the_query(api: ServedApi, rows: MarketRows, written: str) -> None:
    await rows.execute(MANY, first=1, last=20_000, lines=LONG)

    async with open_export(api, format=written) as answer:
        await answer.content.read(10)
        running = await rows.execute(EXPORTING)
        answer.close()
    await none_runs(rows)

    assert running[0][0] == 1


async def test_a_client_that_goes_away_before_the_first_row_ends_the_query(api: ServedApi, rows: MarketRows) -> None:
    async with rows.locked("contracts"):
        asking = asyncio.ensure_future(api.get(EXPORT))
        await one_runs(rows)
        asking.cancel()
        await none_runs(rows)


@pytest.mark.parametrize("written", FORMATS)
async def test_an_export_that_breaks_off_does_not_look_whole(api: ServedApi, rows: MarketRows, written: str) -> None:
    await rows.execute(MANY, first=1, last=30_000, lines=LONG)

    async with open_export(api, format=written) as answer:
        await answer.content.read(10)
        await rows.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freeport-api-export'"
        )
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()

    assert (await api.get("/api/v1/contracts/1")).status == 200
