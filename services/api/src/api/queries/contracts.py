"""The market, as JSON text that PostgreSQL wrote."""

from dataclasses import dataclass
from typing import Any

from api.cursors import Position
from api.queries import filters
from api.queries.arguments import Arguments
from api.queries.filters import LIVE
from api.schemas.contracts import ContractQuery

COLUMNS = """
       c.contract_id, c.type AS contract_type, c.region_id, r.name AS region_name,
       y.system_id, y.name AS system_name, c.start_location_id, t.name AS start_location_name,
       c.issuer_id, i.name AS issuer_name, c.issuer_corporation_id, k.name AS issuer_corporation_name,
       c.for_corporation, c.price, c.buyout, c.reward, c.collateral, c.volume, c.title, c.label, c.composition,
       c.contains_ship, c.is_blueprint_copy, c.runs, c.material_efficiency, c.time_efficiency,
       c.packaged_volume, c.value_buy, c.value_sell, c.value_average, c.value_lines, c.value_lines_priced,
       c.value_ratio, c.date_issued, c.date_expired, c.items_state
"""
JOINS = """
       LEFT JOIN regions r ON r.region_id = c.region_id
       LEFT JOIN stations t ON t.station_id = c.start_location_id
       LEFT JOIN systems y ON y.system_id = t.system_id
       LEFT JOIN names i ON i.entity_id = c.issuer_id
       LEFT JOIN names k ON k.entity_id = c.issuer_corporation_id
"""

PAGE = """
WITH page AS (
    SELECT c.* FROM contracts c
     WHERE {conditions}
     ORDER BY c.date_issued DESC, c.contract_id DESC LIMIT {limit} + 1
), shown AS (
    SELECT {columns}, c.items_offered, c.items_requested
      FROM (SELECT * FROM page ORDER BY date_issued DESC, contract_id DESC LIMIT {limit}) c {joins}
), last AS (
    SELECT date_issued, contract_id FROM shown ORDER BY date_issued, contract_id LIMIT 1
), pending AS (
    SELECT c.region_id, count(*) AS items_pending FROM contracts c
     WHERE c.items_state = 'wanted' AND {live} GROUP BY c.region_id
), covered AS (
    SELECT region_id, r.name, v.swept_at AS as_of, coalesce(v.complete_generation = v.generation, false) AS complete,
           coalesce(p.items_pending, 0) AS items_pending
      FROM {regions} AS asked (region_id) LEFT JOIN regions r USING (region_id) LEFT JOIN coverage v USING (region_id)
           LEFT JOIN pending p USING (region_id)
)
SELECT (SELECT coalesce(json_agg(shown ORDER BY date_issued DESC, contract_id DESC)::text, '[]') FROM shown) AS items,
       (SELECT count(*) > {limit} FROM page) AS more,
       (SELECT date_issued FROM last) AS last_issued,
       (SELECT contract_id FROM last) AS last_id,
       (SELECT to_json(CASE WHEN bool_and(as_of IS NOT NULL) THEN min(as_of) END)::text FROM covered) AS as_of,
       (SELECT coalesce(json_agg(covered ORDER BY region_id)::text, '[]') FROM covered) AS coverage
"""


@dataclass(frozen=True, slots=True)
class LivePage:
    """A page of live contracts: JSON texts, and where the page ended if more follow."""

    items: str
    as_of: str
    coverage: str
    last: Position | None


async def live_contracts(connection: Any, query: ContractQuery, after: Position | None) -> LivePage:
    """The live contracts that `query` asks for, the newest first, from behind `after` on."""
    arguments = Arguments()
    conditions = " AND ".join(_conditions(query, after, arguments))
    regions = "(SELECT region_id FROM coverage)"
    if query.region_id:
        regions = f"(SELECT DISTINCT unnest({arguments.place(query.region_id)}::bigint[]))"
    statement = PAGE.format(
        conditions=conditions, limit=query.limit, columns=COLUMNS, joins=JOINS, live=LIVE, regions=regions
    )
    row = await connection.fetchrow(statement, *arguments)
    last = Position(row["last_issued"], row["last_id"]) if row["more"] else None
    return LivePage(row["items"], row["as_of"], row["coverage"], last)


def _conditions(query: ContractQuery, after: Position | None, arguments: Arguments) -> list[str]:
    conditions = [filters.where(query, arguments)]
    if after is not None:
        conditions.append(
            f"(c.date_issued, c.contract_id) < ({arguments.place(after.at)}::timestamptz,"
            f" {arguments.place(after.tie)}::bigint)"
        )
    return conditions
