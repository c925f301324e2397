"""What is and was asked for a type, as JSON text that PostgreSQL wrote.

By the rules of the ingestor, which makes statistics of days that are long past (`ingestor/stores/history.py`,
`ingestor/domain/statistics.py`): a day that is rolled up reads as it did the moment before. A test holds both to the
same numbers.
"""

from typing import Any

from api.queries.arguments import Arguments
from api.queries.pricing import IS_COPY
from api.schemas.type_prices import PriceQuery
from common.tables.asked import ASKED

# How far each lies on the way from the lowest to the highest.
_TENTHS = {"lowest": 0, "p10": 1, "median": 5, "p90": 9}
# What is asked for one has sixty digits. So what is as good as half a cent is half a cent after fifty of them:
# between any other two of these sums is more, as long as no contract offers more than fits into a bigint.
_EXACT = """
CASE contracts WHEN 1 THEN asked[1] ELSE
round(asked[{tenths} * (contracts - 1) / 10 + 1] * (10 - {tenths} * (contracts - 1) % 10)
      + asked[least({tenths} * (contracts - 1) / 10 + 2, contracts)] * ({tenths} * (contracts - 1) % 10), 50) * 0.1 END
"""
# As the ingestor rounds: half to even. Most are the price of one contract, which is in cents.
_TO_CENTS = """
CASE WHEN scale({amount}) = 2 THEN {amount}
     WHEN {amount} - trunc({amount}, 2) = 0.005 AND mod(trunc({amount}, 2), 0.02) = 0 THEN trunc({amount}, 2)
     ELSE round({amount}, 2) END
"""

_ARTICLE = "is_blueprint_copy, material_efficiency, time_efficiency, runs"

_ENTRY = f"region_id, r.name AS region_name, {_ARTICLE}, contracts"
_AMOUNTS = ", ".join(_TENTHS)
_ORDER = "region_id, is_blueprint_copy, material_efficiency, time_efficiency, runs"

SINGLE = f"c.facets[1] = {{type_id}} AND {ASKED}"
"""All it offers is of the type, and nothing is asked for but a price. There is an index of just these."""
ONE_ARTICLE = "units IS DISTINCT FROM 0"
"""As far as the contract tells: where an older release read its items, they have to."""

# Of columns that are in that index, so that no contract is looked at.
_TOLD = """
contract_id, region_id, price, (outcome = 'accepted') IS TRUE AS accepted,
           (delisted_at AT TIME ZONE 'UTC')::date AS day, units, is_blueprint_copy IS TRUE AS is_blueprint_copy,
           material_efficiency, time_efficiency, runs
"""

PRICES = """
/* types.prices: each OFFSET 0 keeps PostgreSQL from computing again what is named there */
WITH span AS MATERIALIZED (
    SELECT coalesce({before}::date, (now() AT TIME ZONE 'UTC')::date + 1) AS until
), rolled_up AS MATERIALIZED (
    SELECT d.day, d.region_id FROM rolled_up_days d, span WHERE d.day >= until - {days}::int AND d.day < until
), told AS MATERIALIZED (
    SELECT {told} FROM contracts c
     WHERE {single} AND {here} AND {one_article} AND c.delisted_at IS NULL AND c.date_expired > now()
    UNION ALL
    SELECT {told} FROM contracts c
     WHERE {single} AND {here} AND {one_article}
       AND c.delisted_at >= (SELECT (until - {days}::int)::timestamp AT TIME ZONE 'UTC' FROM span)
       AND c.delisted_at < (SELECT until::timestamp AT TIME ZONE 'UTC' FROM span)
), held AS (
    SELECT c.contract_id, c.region_id, c.day, c.price, c.accepted, i.type_id, i.quantity, i.is_included,
           i.material_efficiency, i.time_efficiency, i.runs, {is_copy} AS is_copy
      FROM told c JOIN contract_items i USING (contract_id) WHERE c.units IS NULL
), offers AS (
    SELECT region_id, day, accepted, is_blueprint_copy,
           CASE WHEN is_blueprint_copy THEN material_efficiency END AS material_efficiency,
           CASE WHEN is_blueprint_copy THEN time_efficiency END AS time_efficiency,
           CASE WHEN is_blueprint_copy THEN runs END AS runs,
           CASE units WHEN 1 THEN price ELSE round(price, 60) / units END AS asked
      FROM told WHERE units IS NOT NULL
    UNION ALL
    SELECT region_id, day, accepted, bool_or(is_copy), min(material_efficiency) FILTER (WHERE is_copy),
           min(time_efficiency) FILTER (WHERE is_copy), min(runs) FILTER (WHERE is_copy),
           round(price, 60) / sum(quantity)
      FROM held GROUP BY contract_id, region_id, day, price, accepted
    HAVING bool_and(is_included) AND min(quantity) > 0 AND count(DISTINCT (type_id, is_copy)) = 1
       AND (NOT bool_or(is_copy) OR count(DISTINCT (material_efficiency, time_efficiency, runs)) = 1)
), together AS (
    SELECT day, region_id, {article}, count(*)::int AS contracts, (count(*) FILTER (WHERE accepted))::int AS accepted,
           array_agg(asked) AS asked
      FROM offers WHERE {wanted} GROUP BY day, region_id, {article}
), ascending AS (
    SELECT day, region_id, {article}, contracts, accepted,
           CASE contracts WHEN 1 THEN asked ELSE ARRAY(SELECT one FROM unnest(asked) AS one ORDER BY one) END AS asked
      FROM together o
     WHERE NOT EXISTS (SELECT FROM rolled_up d WHERE d.day = o.day AND d.region_id = o.region_id) OFFSET 0
), exact AS (
    SELECT day, region_id, {article}, contracts, accepted, {exact} FROM ascending OFFSET 0
), fresh AS (
    SELECT day, region_id, {article}, contracts, accepted, {cents} FROM exact
), daily AS (
    SELECT * FROM fresh WHERE day IS NOT NULL
    UNION ALL
    SELECT day, region_id, {article}, contracts, accepted, lowest, p10, median, p90
      FROM price_statistics c, span
     WHERE type_id = {type_id} AND day >= until - {days}::int AND day < until AND {here} AND {wanted}
)
SELECT json_build_object(
           'type_id', t.type_id, 'type_name', t.name, 'as_of', (SELECT min(swept_at) FROM coverage c WHERE {here}),
           'from', until - {days}::int, 'until', until,
           'live', (SELECT coalesce(json_agg(entry), '[]')
                      FROM (SELECT {entry}, {amounts} FROM fresh LEFT JOIN regions r USING (region_id)
                             WHERE day IS NULL ORDER BY {order}) AS entry),
           'days', (SELECT coalesce(json_agg(entry), '[]')
                      FROM (SELECT day, {entry}, accepted, {amounts} FROM daily LEFT JOIN regions r USING (region_id)
                             ORDER BY day DESC, {order}) AS entry))::text
  FROM types t, span WHERE t.type_id = {type_id}
"""


async def prices(connection: Any, type_id: int, query: PriceQuery) -> str | None:
    """What is asked for the type now, and was by day, region and research; None if there is no such type."""
    arguments = Arguments()
    placed = f"{arguments.place(type_id)}::bigint"
    here = "true"
    if query.region_id:
        here = f"c.region_id = ANY({arguments.place(query.region_id)}::bigint[])"
    statement = PRICES.format(
        single=SINGLE.format(type_id=placed),
        one_article=ONE_ARTICLE,
        type_id=placed,
        before=arguments.place(query.before),
        days=arguments.place(query.days),
        here=here,
        wanted=" AND ".join(_wanted(query, arguments)) or "true",
        is_copy=IS_COPY,
        article=_ARTICLE,
        entry=_ENTRY,
        amounts=_AMOUNTS,
        order=_ORDER,
        told=_TOLD,
        exact=", ".join(f"{_EXACT.format(tenths=tenths)} AS {amount}" for amount, tenths in _TENTHS.items()),
        cents=", ".join(f"{_TO_CENTS.format(amount=amount)} AS {amount}" for amount in _TENTHS),
    )
    shown: str | None = await connection.fetchval(statement, *arguments)
    return shown


def _wanted(query: PriceQuery, arguments: Arguments) -> list[str]:
    wanted = [] if query.is_bpc is None else [f"is_blueprint_copy = {arguments.place(query.is_bpc)}::boolean"]
    research = {"runs": query.runs, "material_efficiency": query.me, "time_efficiency": query.te}
    return wanted + [
        f"{column} = {arguments.place(number)}::int" for column, number in research.items() if number is not None
    ]
