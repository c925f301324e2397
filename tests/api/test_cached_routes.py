"""An answer that is kept depends on what it is made of: no less, so that none is old, and no more than that."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from api.cached_routes import CACHED, subjects_of
from support.kept_answers import heard, kept
from support.market_rows import JITA_STATION, NOW, RIFTER, MarketRows
from support.served_api import HostedApi, ServedApi, api_settings, served

JITA = 30000142
ASKED: Mapping[str, tuple[str, ...]] = {
    "contracts": (
        "",
        "?q=rifterr&sort=relevance",
        f"?type_id={RIFTER}&region_id=10000002&station_id={JITA_STATION}&issuer_id=90000001&sort=value_ratio",
        "?group_id=25&category_id=6&is_bpc=false&state=all&count=estimated&sort=price",
        "?attribute=20:1:2",
    ),
    "contracts/couriers": ("", f"?end_region_id=10000043&system_id={JITA}"),
    "contracts/deals": ("", "?category_id=6&region_id=10000002"),
    "contracts/export": (),
    "contracts/taxonomy": ("",),
    "contracts/{}": ("",),
    "contracts/{}/bids": ("",),
    "contracts/{}/history": ("",),
    "regions": ("",),
    "stations": ("", f"?system_id={JITA}&q=jita"),
    "systems": ("", "?q=jita&security=high"),
    "systems/{}": ("",),
    "types": ("", "?q=rifterr", "?q=rifter&on_offer=true&category_id=6"),
    "types/{}": ("",),
    "types/{}/prices": ("", "?region_id=10000002&is_bpc=false"),
}
"""What is asked of each, so that every table is read that it ever reads."""
IDS = {"contracts": 1, "systems": JITA, "types": RIFTER}

TOLD_BY = """
SELECT c.relname AS table_name, encode(t.tgargs, 'escape') AS arguments, p.prosrc AS source
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal
"""
TOLD_OTHERWISE = {table: {"contracts", "live"} for table in ("listed_counts", "listed_count_changes")}
"""Whoever writes contracts writes these, and tells of both."""
TELLS_NOTHING = {"rolled_up_days"}
"""A day that is rolled up reads as it did before."""


def paths(place: str) -> Iterator[str]:
    noun = place.partition("/")[0]
    for query in ASKED[place]:
        yield f"/api/v1/{place.format(IDS.get(noun))}{query}"


async def told_by(connection: asyncpg.Connection) -> dict[str, set[str]]:
    """Of what each table's triggers tell."""
    told: dict[str, set[str]] = {}
    for row in await connection.fetch(TOLD_BY):
        named = re.findall(r"pg_notify\('freeport_market', (?:'(\w+)'|TG_ARGV)", row["source"])
        first = row["arguments"].split("\\000")[0]
        told.setdefault(row["table_name"], set()).update(name or first for name in named)
    return {table: subjects for table, subjects in told.items() if subjects} | TOLD_OTHERWISE


def relations(plan: Any) -> Iterator[str]:
    if isinstance(plan, dict):
        if "Relation Name" in plan:
            yield plan["Relation Name"]
        plan = list(plan.values())
    if isinstance(plan, list):
        for part in plan:
            yield from relations(part)


@dataclass
class Reading:
    """Which tables the statements of one api read."""

    statements: list[Any]
    connection: asyncpg.Connection

    async def take(self) -> set[str]:
        """Those since it was last asked."""
        await asyncio.sleep(0)
        asked, self.statements[:] = list(self.statements), []
        read: set[str] = set()
        for each in asked:
            if re.match(r"\s*(/\*.*?\*/)?\s*(SELECT|WITH)\b", each.query, re.DOTALL):
                plan = await self.connection.fetchval(f"EXPLAIN (FORMAT JSON) {each.query}", *each.args)
                read |= set(relations(json.loads(plan)))
        return {table for table in read - TELLS_NOTHING if not table.startswith("pg_")}


@asynccontextmanager
async def reading(api: HostedApi, database_url: str) -> AsyncIterator[Reading]:
    await api.get("/api/v1/regions")
    reading = Reading([], await asyncpg.connect(database_url))
    for idle in api.parts.readers._idle:
        idle.add_query_logger(reading.statements.append)
    try:
        yield reading
    finally:
        await reading.connection.close()


async def market(rows: MarketRows) -> None:
    """A market in which everything has something to show."""
    await rows.coverage()
    await rows.contract(1, price=5, system_id=JITA, start_location_id=JITA_STATION, composition="single")
    await rows.item(1, RIFTER)
    await rows.contract(2, type="auction")
    await rows.contract(3, type="courier", items_state="none", reward=7, volume=2)
    await rows.rolls(77, {20: 1.5})


@pytest.fixture
async def uncached(database_url: str) -> AsyncIterator[HostedApi]:
    async with served(api_settings(database_url, api_cache_megabytes=0)) as api:
        yield api


async def test_every_route_is_told_of_the_tables_it_reads_and_of_no_others(
    uncached: HostedApi, rows: MarketRows, database_url: str
) -> None:
    await market(rows)
    async with reading(uncached, database_url) as tables:
        told = await told_by(tables.connection)
        for place, subjects in CACHED.items():
            if subjects is None:
                continue
            read = set()
            for path in paths(place):
                reply = await uncached.get(path)
                assert reply.status == 200, (path, reply.body)
                read |= await tables.take()
            unheard = {table for table in read if not told.get(table, set()) & set(subjects)}
            assert unheard == set(), place
            heard_for_nothing = {subject for subject in subjects if all(subject not in told[table] for table in read)}
            assert heard_for_nothing == set(), place


def test_each_path_has_the_subjects_of_its_route() -> None:
    assert set(ASKED) == set(CACHED)
    for place, subjects in CACHED.items():
        assert subjects_of(f"/api/v1/{place.format(12)}") == subjects
    for path in ("/api/v1/data/stats", "/api/v1/contracts/1/events", "/api/v1/regions/1", "/health", "/api/v1/", "/"):
        assert subjects_of(path) is None


COUNTS = {"regions", "stations", "systems", "systems/{}", "types", "types/{}", "contracts/taxonomy"}
EACH = {place for place, subjects in CACHED.items() if subjects}
CHANGES: Mapping[str, tuple[str, set[str]]] = {
    "a sweep that brought nothing": ("UPDATE coverage SET swept_at = now()", {"systems/{}", "types/{}"}),
    "a bid": ("INSERT INTO bids VALUES (2, 7, 120, now())", COUNTS - {"contracts/taxonomy"}),
    "a value": (
        "UPDATE contracts SET value_sell = 9, value_average = 9 WHERE contract_id = 1",
        COUNTS - {"contracts/taxonomy"},
    ),
    "a name": (
        "INSERT INTO names (entity_id, name, category) VALUES (90000001, 'Somebody', 'character')",
        EACH - {"contracts", "contracts/{}", "contracts/deals", "contracts/couriers"},
    ),
    "a word": ("INSERT INTO words VALUES ('unheardof', false)", COUNTS - {"contracts/taxonomy"}),
    "a price": (
        "INSERT INTO prices (type_id, sell, average) VALUES (587, 5, 6)",
        EACH - {"contracts/{}", "contracts/deals", "types/{}", "types/{}/prices"},
    ),
    "a name of New Eden": (
        "UPDATE types SET name = 'Rifter the Second' WHERE type_id = 587",
        {"contracts/{}/bids", "contracts/{}/history"},
    ),
    "a later end": (
        "UPDATE contracts SET date_expired = date_expired + interval '1 hour' WHERE contract_id = 2",
        set(),
    ),
    "an item": ("UPDATE contracts SET facets = facets || 34 WHERE contract_id = 1", set()),
    "one that is gone": ("UPDATE contracts SET delisted_at = now() WHERE contract_id = 1", set()),
}
"""Each with the routes whose answers stay."""


async def test_a_change_drops_the_answers_that_show_it_and_no_others(
    api: ServedApi, uncached: HostedApi, rows: MarketRows
) -> None:
    await market(rows)
    await heard(api)
    for change, (statement, stays) in CHANGES.items():
        for place in EACH:
            for path in paths(place):
                await api.get(path)

        await rows.execute(statement)
        await asyncio.sleep(0.03)
        await heard(api)

        for places, from_memory in ((stays, True), (EACH - stays, False)):
            before = await kept(api)
            asked = [path for place in places for path in paths(place)]
            replies = [await api.get(path) for path in asked]
            after = await kept(api)
            outcome = "hit" if from_memory else "miss"
            assert after[outcome] - before[outcome] == len(asked), (change, outcome)
            for path, reply in zip(asked, replies, strict=True):
                assert reply.body == (await uncached.get(path)).body, (change, path)


async def test_what_is_overdue_and_gets_a_later_end_counts_again(api: ServedApi, rows: MarketRows) -> None:
    """Nothing that is counted changes then, and it is not the next contract that expires."""
    await rows.contract(1, system_id=JITA)
    await rows.contract(2, system_id=JITA, date_expired=NOW - timedelta(hours=1))
    await heard(api)
    before = (await api.get(f"/api/v1/systems/{JITA}")).content["live"]

    await rows.execute("UPDATE contracts SET date_expired = date_expired + interval '30 days' WHERE contract_id = 2")
    await asyncio.sleep(0.03)

    assert (before, (await api.get(f"/api/v1/systems/{JITA}")).content["live"]) == (1, 2)
