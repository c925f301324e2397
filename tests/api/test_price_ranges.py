"""Ranges of prices as sums of what is counted: each price is in one part of a range, and in the right one."""

from decimal import Decimal

import asyncpg
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from api.queries.price_ranges import LAST, MOST, bucket_of, inside, least_of, parts_of
from api.schemas.contracts import ContractQuery
from support.market_rows import NOW, THE_FORGE

AT_EDGES = st.builds(
    lambda bucket, beside: max(0, least_of(bucket) + beside),
    st.integers(bucket_of(1), bucket_of(LAST)),
    st.integers(-2, 2),
)
CENTS = st.one_of(AT_EDGES, st.integers(0, 2000), st.integers(0, MOST), st.integers(LAST - 3, LAST + 3))
FILL = """
INSERT INTO contracts (contract_id, region_id, type, issuer_id, issuer_corporation_id, for_corporation, date_issued,
                       date_expired, items_state, price, delisted_at)
SELECT number, $1, (ARRAY['auction', 'item_exchange'])[1 + number % 2], 1, 1, false, $2::timestamptz,
       $2::timestamptz + CASE WHEN number % 5 = 0 THEN interval '-1 hour' ELSE interval '1 day' END, 'wanted', price,
       CASE WHEN number % 7 = 0 THEN $2 END
  FROM unnest($3::numeric[]) WITH ORDINALITY AS asked (price, number)
"""
IN_RANGE = """
SELECT type, count(*) FROM contracts WHERE delisted_at IS NULL AND date_expired > now() AND price >= $1 AND price <= $2
 GROUP BY type
"""


@given(CENTS, st.none() | CENTS, st.none() | CENTS)
@example(0, 0, 0)
@example(LAST, LAST, None)
def test_a_price_is_in_one_part_of_a_range_that_it_is_in_and_in_none_of_another(
    price: int, least: int | None, most: int | None
) -> None:
    parts = parts_of(least, most)

    whole = parts.first <= bucket_of(price) <= parts.last
    ends = [end for end in parts.ends if end[0] <= price <= end[1]]
    assert whole + len(ends) == ((least or 0) <= price and (most is None or price <= most))


@given(CENTS)
def test_buckets_are_a_sixteenth_of_a_power_of_two_and_nothing_between_them_is_left_out(price: int) -> None:
    bucket = bucket_of(price)

    assert least_of(bucket) <= price
    if bucket < bucket_of(LAST):
        assert price < least_of(bucket + 1) <= max(1, least_of(bucket) * 17 / 16 + 1)


async def test_postgresql_puts_each_price_into_the_same_bucket(database_url: str) -> None:
    edges = [least_of(bucket) + beside for bucket in range(bucket_of(1), bucket_of(LAST)) for beside in (-1, 0, 1)]
    cents = [*edges, *range(-2, 2000), *(LAST + beside for beside in range(-3, 4)), MOST - 1, MOST]
    connection = await asyncpg.connect(database_url)

    found = await connection.fetch(
        "SELECT price_bucket(price) FROM unnest($1::numeric[]) price", [Decimal(each) / 100 for each in cents]
    )

    assert [row[0] for row in found] == [bucket_of(each) for each in cents]
    assert await connection.fetchval("SELECT price_bucket(NULL)") is None
    await connection.close()


async def test_what_is_in_a_range_is_counted_as_if_one_by_one(engine: AsyncEngine, database_url: str) -> None:
    del engine
    edges = sorted({max(0, least_of(bucket) + beside) for bucket in range(16_500, 16_540) for beside in (-1, 0, 1)})
    prices = [None, *(Decimal(each) / 100 for each in [0, 0, 1, *edges, LAST - 1, LAST, LAST + 1, MOST - 1])]
    connection = await asyncpg.connect(database_url)
    await connection.execute(FILL, THE_FORGE, NOW, prices)
    await connection.execute("SELECT uncount_expired()")

    asked = [price for price in prices if price is not None]
    for start in range(0, len(asked), 4):
        for most in asked[start::5]:
            least = asked[start]
            query = ContractQuery.model_validate({"price_min": least, "price_max": most})
            found = await inside(connection, query)
            assert found.by_type == dict(await connection.fetch(IN_RANGE, least, most)), (least, most)
    for bounds in ({"price_max": 0}, {"price_min": 0}, {"price_min": 10**18}, {"price_max": 10**18}):
        found = await inside(connection, ContractQuery.model_validate(bounds))
        ends = bounds.get("price_min", 0), bounds.get("price_max", 10**18)
        assert found.by_type == dict(await connection.fetch(IN_RANGE, *ends)), bounds

    await connection.close()
