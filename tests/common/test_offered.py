"""Steps and traits, by which the index of what is offered leaves few: the same in Python and in PostgreSQL."""

from collections.abc import AsyncIterator
from decimal import Decimal
from math import nextafter
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.tables.offered import HUNDREDTHS, MILLIONS, TRAITS, Ladder, traits

LADDERS = [pytest.param(MILLIONS, "numeric", id="price"), pytest.param(HUNDREDTHS, "float8", id="value")]
AMOUNTS = st.floats(-1, 2) | st.floats(0, 1e11)
REGION, SYSTEM, STATION, CORPORATION = 10000043, 30000142, 60003760, 98_000_001


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@given(st.sampled_from([MILLIONS, HUNDREDTHS]), AMOUNTS, AMOUNTS)
def test_whoever_asks_for_a_step_leaves_out_nothing_that_is_not_above_what_is_asked_for(
    ladder: Ladder, amount: float, most: float
) -> None:
    step = ladder.step(most)

    if step is None:
        assert most > ladder.bound(ladder.steps[-1])
    elif amount <= most:
        assert amount <= ladder.bound(step)


@pytest.mark.parametrize(("ladder", "kind"), LADDERS)
async def test_postgresql_puts_all_amounts_on_the_steps_that_they_are_not_above(
    connection: Any, ladder: Ladder, kind: str
) -> None:
    edges = [ladder.bound(step) for step in ladder.steps]
    beside = [near for edge in edges for near in (nextafter(edge, 0), edge, nextafter(edge, 2 * edge))]
    amounts = [-1.0, 0.0, *beside, 1e12]
    exact = [Decimal(amount) for amount in amounts] if kind == "numeric" else amounts

    found = await connection.fetch(f"SELECT {ladder.function}(n) AS steps FROM unnest($1::{kind}[]) n", exact)  # noqa: S608

    wanted = [[step for step in ladder.steps if amount <= ladder.bound(step)] for amount in amounts]
    assert [row["steps"] for row in found] == wanted
    assert await connection.fetchval(f"SELECT {ladder.function}(NULL)") == []


@pytest.mark.parametrize(
    ("system", "security", "contract_type", "has_ship", "wanted"),
    [
        (SYSTEM, "high", "item_exchange", False, [SYSTEM]),
        (SYSTEM, "low", "auction", True, [SYSTEM, TRAITS["low"], TRAITS["auction"], TRAITS["ship"]]),
        (SYSTEM, "null", "courier", None, [SYSTEM, TRAITS["null"]]),
        (SYSTEM, "wormhole", "item_exchange", None, [SYSTEM, TRAITS["wormhole"]]),
        (None, None, "item_exchange", None, [TRAITS["nowhere"]]),
    ],
)
async def test_a_contract_has_its_place_its_corporation_and_what_few_are(
    connection: Any,
    system: int | None,
    security: str | None,
    contract_type: str,
    has_ship: bool | None,  # noqa: FBT001 - of three states
    wanted: list[int],
) -> None:
    known = "(VALUES ($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::text, $6::text, $7::boolean)) AS c"
    columns = "(region_id, system_id, start_location_id, issuer_corporation_id, security, type, contains_ship)"

    found = await connection.fetchval(
        f"SELECT {traits('c.')} FROM {known} {columns}",  # noqa: S608 - our own
        *(REGION, system, STATION, CORPORATION, security, contract_type, has_ship),
    )

    assert sorted(found) == sorted([*wanted, REGION, STATION, CORPORATION])


async def test_the_index_of_what_is_offered_is_asked_for_its_own_expressions(
    connection: Any,
) -> None:
    await connection.execute("SET enable_seqscan = off; SET enable_indexscan = off")
    asked = [f"{MILLIONS.sql('c.')} && '{{3}}'", f"{HUNDREDTHS.sql('c.')} && '{{80}}'", f"{traits('c.')} && '{{6}}'"]
    where = " AND ".join(["(c.delisted_at IS NULL) IS TRUE", "c.facets && '{587}'", *asked])

    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN SELECT FROM contracts c WHERE {where}"))

    assert "Bitmap Index Scan on ix_contracts_facets" in plan
    assert "Filter" not in plan
