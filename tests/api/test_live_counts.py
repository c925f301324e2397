"""What is live is counted as it is written: whatever writers do, and however they get into each other's way."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from api.queries import price_ranges
from api.queries.live_counts import OF_CONTRACT_TYPES, Kind, live_counts, unsettled
from api.schemas.contracts import ContractQuery
from common import migrations
from common.tables.contracts import CATEGORY_FACET, GROUP_FACET
from support.market_rows import DOMAIN, JITA_STATION, NOW, RIFTER, THE_FORGE, MarketRows

KINDS: tuple[Kind, ...] = ("type", "group", "category", "region", "system", "station")
FACETS = [RIFTER, 603, 34, GROUP_FACET + 25, GROUP_FACET + 18, CATEGORY_FACET + 6]
PRICES = [None, Decimal(0), Decimal("0.01"), Decimal(1), Decimal("99.99"), Decimal(10**9), Decimal(10**17)]
RANGES: list[dict[str, Any]] = [{"price_max": 0}, {"price_min": 1}, {"price_min": "0.5", "price_max": 10**9}]
LIVE = """
SELECT type, facets, region_id, system_id, start_location_id, price FROM contracts
 WHERE delisted_at IS NULL AND date_expired > now()
"""


def soon(dice: Random) -> datetime:
    """A moment that comes while the test runs."""
    return datetime.now(UTC) + timedelta(milliseconds=dice.randint(0, 200))


def written(dice: Random, contract_id: int) -> Iterator[tuple[str, list[Any]]]:
    """One of all that is done to contracts."""
    facets = dice.sample(FACETS, dice.randint(0, len(FACETS)))
    expires = dice.choice((NOW - timedelta(days=1), NOW + timedelta(hours=6), NOW + timedelta(days=1), soon(dice)))
    region_id, station_id = dice.choice((THE_FORGE, DOMAIN)), dice.choice((JITA_STATION, None))
    several = [contract_id + step for step in range(dice.randint(1, 5))]
    yield from dice.choices(
        (
            (
                """INSERT INTO contracts (contract_id, region_id, type, issuer_id, issuer_corporation_id,
                                          for_corporation, date_issued, date_expired, items_state, facets,
                                          start_location_id, price)
                   SELECT id, $2, (ARRAY['auction', 'courier', 'loan'])[1 + id % 3], 1, 1, false, $3, $3, 'wanted',
                          $4, $5, $6 FROM unnest($1::bigint[]) id
                   ON CONFLICT DO NOTHING""",
                [several, region_id, expires, dice.choice((facets, None)), station_id, dice.choice(PRICES)],
            ),
            ("UPDATE contracts SET facets = $2 WHERE contract_id = ANY($1::bigint[])", [several, facets]),
            ("UPDATE contracts SET value_sell = 1 WHERE contract_id = ANY($1::bigint[])", [several]),
            ("UPDATE contracts SET delisted_at = now() WHERE contract_id = ANY($1::bigint[])", [several]),
            ("UPDATE contracts SET delisted_at = NULL WHERE contract_id = ANY($1::bigint[])", [several]),
            ("UPDATE contracts SET date_expired = $2 WHERE contract_id = ANY($1::bigint[])", [several, expires]),
            ("UPDATE contracts SET type = 'auction' WHERE contract_id = ANY($1::bigint[])", [several]),
            ("UPDATE contracts SET system_id = $2 WHERE contract_id = ANY($1::bigint[])", [several, region_id]),
            (
                "UPDATE contracts SET price = $2 WHERE contract_id = ANY($1::bigint[])",
                [several, dice.choice(PRICES)],
            ),
            ("DELETE FROM contracts WHERE contract_id = $1", [contract_id]),
            ("SELECT fold_listed_counts()", []),
            ("SELECT uncount_expired()", []),
        ),
        weights=(6, 3, 1, 3, 2, 2, 1, 1, 2, 1, 1, 2),
    )


async def brute_force(connection: Any) -> dict[str, Counter[int]]:
    counted: dict[str, Counter[int]] = {kind: Counter() for kind in KINDS}
    for row in await connection.fetch(LIVE):
        for facet in row["facets"] or ():
            counted[("type", "group", "category")[facet // GROUP_FACET]].update([facet % GROUP_FACET])
        for kind, column in (("region", "region_id"), ("system", "system_id"), ("station", "start_location_id")):
            counted[kind].update([row[column]] if row[column] is not None else [])
    return counted


async def types_in(connection: Any, places: list[int]) -> Counter[str]:
    live = await connection.fetch(LIVE)
    return Counter(row["type"] for row in live if not places or row["region_id"] in places)


async def in_ranges(connection: Any) -> list[Counter[str]]:
    """Types of the live contracts in each of the ranges of prices."""
    live = [row for row in await connection.fetch(LIVE) if row["price"] is not None]
    return [
        Counter(
            row["type"]
            for row in live
            if Decimal(asked.get("price_min", 0)) <= row["price"] <= Decimal(asked.get("price_max", 10**18))
        )
        for asked in RANGES
    ]


async def compare(connection: Any) -> int:
    """Every way of counting with all contracts, at one instant; how many are live."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        expected = await brute_force(connection)
        assert {kind: await counted_here(connection, kind) for kind in KINDS} == expected
        assert {kind: await corrected(connection, kind) for kind in KINDS} == expected
        for places in ([], [THE_FORGE], [DOMAIN, THE_FORGE]):
            assert dict(await connection.fetch(OF_CONTRACT_TYPES, places)) == await types_in(connection, places)
        inside = [await price_ranges.inside(connection, ContractQuery.model_validate(asked)) for asked in RANGES]
        assert [each.by_type for each in inside] == await in_ranges(connection)
    return sum(expected["region"].values())


async def counted_here(connection: Any, kind: Kind) -> Counter[int]:
    return Counter(dict(await connection.fetch(live_counts(kind))))


async def corrected(connection: Any, kind: Kind) -> Counter[int]:
    """The same in the way of those who look up a few."""
    stored = dict(await connection.fetch("SELECT id, contracts FROM listed_counts WHERE kind = $1", kind))
    changes = dict(await connection.fetch(unsettled(kind)))
    return Counter(
        {number: n for number in {*stored, *changes} if (n := stored.get(number, 0) + changes.get(number, 0))}
    )


@pytest.mark.parametrize("seed", range(4))
async def test_counts_are_exact_after_every_statement(database_url: str, seed: int) -> None:
    dice = Random(seed)  # noqa: S311 - the same statements every time
    connection = await asyncpg.connect(database_url)

    live = []
    for _ in range(120):
        for statement, arguments in written(dice, dice.randint(1, 20)):
            await connection.execute(statement, *arguments)
        live.append(await compare(connection))

    assert max(live) > 0
    await connection.close()


async def test_counts_are_exact_after_the_clock_was_set_back(database_url: str) -> None:
    dice = Random(5)  # noqa: S311 - the same statements every time
    connection = await asyncpg.connect(database_url)
    await connection.execute("INSERT INTO listed_count_horizon VALUES (now() + interval '12 hours')")

    live = []
    for _ in range(60):
        for statement, arguments in written(dice, dice.randint(1, 20)):
            if statement != "SELECT uncount_expired()":
                await connection.execute(statement, *arguments)
        live.append(await compare(connection))
    moved = await connection.fetchval("SELECT uncount_expired()")

    assert moved > 0
    assert await compare(connection) == live[-1] > 0
    assert await connection.fetchval("SELECT expires_after <= now() FROM listed_count_horizon")
    await connection.close()


async def test_what_expires_is_counted_off_once_whoever_writes_meanwhile(database_url: str) -> None:
    moved: list[int | None] = []

    async def write(seed: int) -> None:
        dice = Random(seed)  # noqa: S311 - the same statements every time
        connection = await asyncpg.connect(database_url)
        for _ in range(40):
            transaction = connection.transaction()
            await transaction.start()
            for _ in range(2):
                for statement, arguments in written(dice, 100 * seed + dice.randint(1, 20)):
                    await connection.execute(statement, *arguments)
            await (transaction.rollback() if dice.random() < 0.3 else transaction.commit())
            await asyncio.sleep(0.001 * dice.randint(0, 10))
        await connection.close()

    async def move(until: asyncio.Event) -> None:
        connection = await asyncpg.connect(database_url)
        while not until.is_set():
            transaction = connection.transaction()
            await transaction.start()
            found = await connection.fetchval("SELECT uncount_expired()")
            if len(moved) % 5 == 4:
                await transaction.rollback()  # as if it had been killed
            else:
                await transaction.commit()
            moved.append(found)
            await asyncio.sleep(0.002)
        await connection.close()

    async def read(until: asyncio.Event) -> None:
        connection = await asyncpg.connect(database_url)
        while not until.is_set():
            await compare(connection)
        await connection.close()

    done = asyncio.Event()
    others = [asyncio.ensure_future(each) for each in (move(done), move(done), read(done))]
    await asyncio.gather(*(write(seed) for seed in range(1, 4)))
    done.set()
    await asyncio.gather(*others)

    assert any(moved)
    connection = await asyncpg.connect(database_url)
    await compare(connection)
    await connection.close()


async def test_the_horizon_stays_while_contracts_are_being_written(rows: MarketRows, database_url: str) -> None:
    writer, mover = [await asyncpg.connect(database_url) for _ in range(2)]
    await rows.contract(1, facets=FACETS, date_expired=NOW - timedelta(hours=1))

    transaction = writer.transaction()
    await transaction.start()
    await writer.execute("UPDATE contracts SET facets = facets[1:2]")
    while_written = await mover.fetchval("SELECT uncount_expired()")
    await transaction.commit()

    assert while_written is None
    assert [await mover.fetchval("SELECT uncount_expired()") for _ in range(2)] == [1, 0]
    assert await compare(mover) == 0
    for kind in KINDS[3:]:
        settled = f"SELECT id, contracts FROM listed_counts WHERE kind = '{kind}'"  # noqa: S608 - our own names
        counted = f"SELECT sum(n) FROM ({settled} UNION ALL {unsettled(kind)}) AS c (id, n)"  # noqa: S608 - our own
        assert not await mover.fetchval(counted)
    await writer.close()
    await mover.close()


async def test_who_would_not_see_the_horizon_as_it_is_cannot_write(rows: MarketRows, database_url: str) -> None:
    await rows.contract(1)
    connection = await asyncpg.connect(database_url)

    for statement in ("UPDATE contracts SET price = 1", "SELECT uncount_expired()"):
        with pytest.raises(asyncpg.RaiseError, match="READ COMMITTED"):
            async with connection.transaction(isolation="repeatable_read"):
                await connection.execute(statement)

    await connection.close()


async def test_what_a_database_holds_is_counted_when_its_schema_is_brought_up_to_date(
    engine: AsyncEngine, database_url: str
) -> None:
    await _revise(engine, "0028")
    connection, dice = await asyncpg.connect(database_url), Random(1)  # noqa: S311 - the same every time
    for contract_id in range(1, 40):
        statement, arguments = next(each for each in written(dice, contract_id))
        await connection.execute(statement if "uncount" not in statement else "SELECT 1", *arguments)
    await _revise(engine, "head")
    live = await compare(connection)
    await connection.execute("SELECT uncount_expired()")
    await connection.execute("SELECT fold_listed_counts()")
    await compare(connection)

    await _revise(engine, "0028")
    await _revise(engine, "head")

    assert await compare(connection) <= live > 0
    await connection.close()


async def _revise(engine: AsyncEngine, revision: str) -> None:
    def run(connection: Connection) -> None:
        config = migrations.config()
        config.attributes["connection"] = connection
        (command.upgrade if revision == "head" else command.downgrade)(config, revision)

    async with engine.begin() as connection:
        await connection.run_sync(run)


async def test_counts_are_exact_whoever_writes_at_the_same_time_and_is_undone(database_url: str) -> None:
    async def write(seed: int) -> None:
        dice = Random(seed)  # noqa: S311 - the same statements every time
        connection = await asyncpg.connect(database_url)
        for _ in range(60):
            transaction = connection.transaction()
            await transaction.start()
            for _ in range(3):
                for statement, arguments in written(dice, 100 * seed + dice.randint(1, 20)):
                    await connection.execute(statement, *arguments)
            await (transaction.rollback() if dice.random() < 0.3 else transaction.commit())
        await connection.close()

    await asyncio.gather(*(write(seed) for seed in range(1, 6)))

    connection = await asyncpg.connect(database_url)
    await compare(connection)
    await connection.execute("TRUNCATE contracts")
    assert await compare(connection) == 0
    await connection.close()


async def test_changes_are_folded_by_and_by(rows: MarketRows, engine: AsyncEngine) -> None:
    """Were it never done, the chance of passing is one in a million."""
    del engine
    for number in range(1, 700):
        await rows.execute("UPDATE contracts SET price = :price", price=number)
    await rows.contract(1, facets=FACETS)
    for _ in range(700):
        await rows.execute("UPDATE contracts SET price = 1")

    assert await rows.execute("SELECT * FROM listed_count_changes") == []
