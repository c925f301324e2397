"""Contracts that cost less than they are worth, as JSON text that PostgreSQL wrote."""

from dataclasses import dataclass
from typing import Any

from api.cursors import Position
from api.queries.arguments import Arguments
from api.queries.links import GAME
from api.queries.pricing import SKIN
from api.schemas.deals import DealQuery
from common.tables.contracts import CATEGORY_FACET, DEAL, DEAL_RATIO

_WORTH = "least(c.value_sell, c.value_average)"

_WHY = """
format('Costs %s %% of what it is worth, %s ISK less than the lower of Jita''s sell orders and the average of New Eden',
       round((ratio * 100)::numeric, 1), btrim(to_char(profit, '999,999,999,999,999,999,990.00')))
"""

_UNCERTAIN = f"""
array_remove(ARRAY[
    CASE WHEN c.value_lines_priced < c.value_lines THEN 'partly_priced' END,
    CASE WHEN EXISTS (SELECT FROM contract_items i JOIN prices p USING (type_id)
                       WHERE i.contract_id = c.contract_id AND i.is_included
                         AND (p.sell IS NULL) <> (p.average IS NULL)) THEN 'one_price' END,
    CASE WHEN c.value_buy < 0.5 * worth THEN 'low_bids' END,
    CASE WHEN c.packaged_volume IS NULL OR c.volume > c.packaged_volume * 1.001 THEN 'assembled' END,
    CASE WHEN c.facets && ARRAY[{CATEGORY_FACET + SKIN}] THEN 'skin' END,
    CASE WHEN c.system_id IS NULL THEN 'structure' END], NULL)
"""

PAGE = """
/* deals.page */
WITH page AS (
    SELECT c.*, {worth} AS worth, {ratio} AS ratio, {worth} - c.price AS profit FROM contracts c
     WHERE {conditions} ORDER BY {ratio}, c.contract_id LIMIT {limit} + 1
), shown AS (
    SELECT c.ratio, c.contract_id, c.type AS contract_type, c.label, c.title, c.composition, c.contains_ship,
           c.region_id, r.name AS region_name, c.system_id, y.name AS system_name, c.security,
           c.start_location_id, t.name AS start_location_name, c.issuer_id, n.name AS issuer_name, c.volume,
           c.packaged_volume, c.price, c.worth, c.profit, c.value_buy - c.price AS profit_at_once, c.value_buy,
           c.value_sell, c.value_average, c.value_lines, c.value_lines_priced, c.date_issued, c.date_expired,
           {why} AS why, {uncertain} AS uncertain, {game} AS game
      FROM (SELECT * FROM page ORDER BY ratio, contract_id LIMIT {limit}) c
           LEFT JOIN regions r ON r.region_id = c.region_id LEFT JOIN systems y ON y.system_id = c.system_id
           LEFT JOIN stations t ON t.station_id = c.start_location_id LEFT JOIN names n ON n.entity_id = c.issuer_id
), last AS (
    SELECT ratio, contract_id FROM shown ORDER BY ratio DESC, contract_id DESC LIMIT 1
)
SELECT (SELECT coalesce(json_agg(shown ORDER BY ratio, contract_id)::text, '[]') FROM shown) AS items,
       (SELECT count(*) > {limit} FROM page) AS more,
       (SELECT ratio FROM last) AS last_ratio, (SELECT contract_id FROM last) AS last_id,
       (SELECT coalesce(to_json(min(swept_at))::text, 'null') FROM coverage c WHERE {here}) AS as_of,
       (SELECT coalesce(to_json(max(generation))::text, 'null') FROM price_sources WHERE source = 'orders')
           AS prices_as_of
"""


@dataclass(frozen=True, slots=True)
class DealPage:
    """A page of deals: JSON texts, and where the page ended if more follow."""

    items: str
    as_of: str
    prices_as_of: str
    last: Position | None


async def best_deals(connection: Any, query: DealQuery, after: Position | None) -> DealPage:
    """The deals that `query` asks for, the cheapest for their worth first, from behind `after` on."""
    arguments = Arguments()
    place = arguments.place
    here = f"c.region_id = ANY({place(query.region_id)}::bigint[])" if query.region_id else "true"
    conditions = [DEAL, "c.date_expired > now()", here, *_conditions(query, arguments)]
    if after is not None:
        conditions.append(f"({DEAL_RATIO}, c.contract_id) > ({place(after.key)}::float8, {place(after.tie)}::bigint)")
    statement = PAGE.format(
        worth=_WORTH,
        ratio=DEAL_RATIO,
        conditions=" AND ".join(conditions),
        limit=query.limit,
        why=_WHY,
        uncertain=_UNCERTAIN,
        game=GAME,
        here=here,
    )
    row = await connection.fetchrow(statement, *arguments)
    last = Position(row["last_ratio"], row["last_id"]) if row["more"] else None
    return DealPage(row["items"], row["as_of"], row["prices_as_of"], last)


def _conditions(query: DealQuery, arguments: Arguments) -> list[str]:
    place = arguments.place
    conditions = [
        f"{_WORTH} - c.price >= {place(query.min_profit)}::numeric",
        f"c.value_lines_priced >= {place(query.min_coverage)}::float8 * c.value_lines",
    ]
    if query.security:
        conditions.append(f"c.security = ANY({place(list(query.security))}::text[])")
    if query.category_id:
        facets = [CATEGORY_FACET + category_id for category_id in query.category_id]
        conditions.append(f"c.facets && {place(facets)}::int[]")
    if query.price_max is not None:
        conditions.append(f"c.price <= {place(query.price_max)}::numeric")
    return conditions
