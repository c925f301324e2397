"""What is live is counted as it is written: whatever writers do, and however they get into each other's way."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from api.queries.live_counts import OF_CONTRACT_TYPES, Kind, live_counts, unsettled
from common.tables.contracts import CATEGORY_FACET, GROUP_FACET
from support.market_rows import DOMAIN, JITA_STATION, NOW, RIFTER, THE_FORGE, MarketRows

KINDS: tuple[Kind, ...] = ("type", "group", "category", "region", "system", "station")
FACETS = [RIFTER, 603, 34, GROUP_FACET + 25, GROUP_FACET + 18, CATEGORY_FACET + 6]
LIVE = """
SELECT type, facets, region_id, system_id, start_location_id FROM contracts
 WHERE delisted_at IS NULL AND date_expired > now()
"""


def written(dice: Random, contract_id: int) -> Iterator[tuple[str, list[Any]]]:
    """One of all that is done to contracts."""
    facets = dice.sample(FACETS, dice.randint(0, len(FACETS)))
    expires = NOW + timedelta(days=dice.choice((-1, 1)))
    region_id, station_id = dice.choice((THE_FORGE, DOMAIN)), dice.choice((JITA_STATION, None))
    several = [contract_id + step for step in range(dice.randint(1, 5))]
    yield from dice.choices(
        (
            (
                """INSERT INTO contracts (contract_id, region_id, type, issuer_id, issuer_corporation_id,
                                          for_corporation, date_issued, date_expired, items_state, facets,
                                          start_location_id)
                   SELECT id, $2, (ARRAY['auction', 'courier', 'loan'])[1 + id % 3], 1, 1, false, $3, $3, 'wanted',
                          $4, $5 FROM unnest($1::bigint[]) id
                   ON CONFLICT DO NOTHING""",
                [several, region_id, expires, dice.choice((facets, None)), station_id],
            ),
            ("UPDATE contracts SET facets = $2 WHERE contract_id = ANY($1::bigint[])", [several, facets]),
            ("UPDATE contracts SET value_sell = 1 WHERE contract_id = ANY($1::bigint[])", [several]),
            ("UPDATE contracts SET delisted_at = now() WHERE contract_id = ANY($1::bigint[])", [several]),
            ("UPDATE contracts SET delisted_at = NULL WHERE contract_id = ANY($1::bigint[])", [several]),
            ("UPDATE contracts SET date_expired = $2 WHERE contract_id = ANY($1::bigint[])", [several, expires]),
            ("UPDATE contracts SET type = 'auction' WHERE contract_id = ANY($1::bigint[])", [several]),
            ("UPDATE contracts SET system_id = $2 WHERE contract_id = ANY($1::bigint[])", [several, region_id]),
            ("DELETE FROM contracts WHERE contract_id = $1", [contract_id]),
            ("SELECT fold_listed_counts()", []),
        ),
        weights=(6, 3, 1, 3, 2, 2, 1, 1, 1, 1),
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

    for _ in range(120):
        for statement, arguments in written(dice, dice.randint(1, 20)):
            await connection.execute(statement, *arguments)
        expected = await brute_force(connection)
        assert {kind: await counted_here(connection, kind) for kind in KINDS} == expected
        assert {kind: await corrected(connection, kind) for kind in KINDS} == expected
        for places in ([], [THE_FORGE], [DOMAIN, THE_FORGE]):
            assert dict(await connection.fetch(OF_CONTRACT_TYPES, places)) == await types_in(connection, places)

    assert sum(expected["region"].values()) > 0
    await connection.close()


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
    assert {kind: await counted_here(connection, kind) for kind in KINDS} == await brute_force(connection)
    await connection.execute("TRUNCATE contracts")
    assert [await counted_here(connection, kind) for kind in KINDS] == [Counter()] * 6
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
