"""Regions and types, as JSON text that PostgreSQL wrote."""

from typing import Any

from api.queries.live_counts import PASSED, live_counts
from api.queries.pricing import BLUEPRINT, RELIC, SHIP
from common.tables.contracts import GROUP_FACET

REGIONS = f"""
/* universe.regions */
WITH shown AS (
    SELECT r.region_id, r.name, coalesce(n.live, 0) AS live, CASE WHEN v.region_id IS NOT NULL THEN json_build_object(
               'as_of', v.swept_at, 'generation', v.generation,
               'complete', coalesce(v.complete_generation = v.generation, false), 'fresh_until', v.fresh_until
           ) END AS coverage
      FROM regions r LEFT JOIN coverage v USING (region_id) LEFT JOIN ({live_counts("region")}) n ON n.id = r.region_id
)
SELECT json_build_object('as_of', (SELECT min(swept_at) FROM coverage),
                         'items', coalesce(json_agg(shown ORDER BY name, region_id), '[]'))::text FROM shown
"""  # noqa: S608 - constants

TYPE = f"""
/* universe.type */
SELECT json_build_object(
    'type_id', t.type_id, 'name', t.name,
    'group', json_build_object('group_id', t.group_id, 'name', g.name),
    'category', CASE WHEN g.group_id IS NOT NULL
                     THEN json_build_object('category_id', g.category_id, 'name', k.name) END,
    'volume', t.volume, 'packaged_volume', t.packaged_volume, 'portion_size', t.portion_size,
    'market_group_id', t.market_group_id, 'meta_group_id', t.meta_group_id,
    'live', coalesce((SELECT contracts FROM listed_counts WHERE kind = 'type' AND id = t.type_id), 0)
            + coalesce((SELECT sum(change) FROM listed_count_changes WHERE kind = 'type' AND id = t.type_id), 0)
            + coalesce((SELECT sum(c.change) FROM {PASSED} c
                         WHERE c.facets @> ARRAY[least(t.type_id, {GROUP_FACET - 1})::int]), 0),
    'prices', CASE WHEN p.type_id IS NOT NULL THEN json_build_object(
        'buy', p.buy, 'sell', p.sell, 'orders_as_of', p.orders_at,
        'average', p.average, 'adjusted', p.adjusted, 'averages_as_of', p.average_at) END,
    'image', 'https://images.evetech.net/types/' || t.type_id || CASE g.category_id
        WHEN {SHIP} THEN '/render' WHEN {BLUEPRINT} THEN '/bp' WHEN {RELIC} THEN '/relic' ELSE '/icon' END
)::text
  FROM types t LEFT JOIN groups g USING (group_id) LEFT JOIN categories k USING (category_id)
       LEFT JOIN prices p USING (type_id)
 WHERE t.type_id = $1
"""  # noqa: S608 - constants

UNKNOWN_REGIONS = """
SELECT ARRAY(SELECT asked FROM unnest($1::bigint[]) AS asked
              WHERE NOT EXISTS (SELECT FROM regions WHERE region_id = asked))
"""
KNOWS_REGION = "SELECT EXISTS (SELECT FROM regions WHERE region_id = $1), EXISTS (SELECT FROM regions)"


async def regions(connection: Any) -> str:
    """All regions by name, with how far their lists are known."""
    listed: str = await connection.fetchval(REGIONS)
    return listed


async def item_type(connection: Any, type_id: int) -> str | None:
    """The type with its group and category; None if there is none."""
    shown: str | None = await connection.fetchval(TYPE, type_id)
    return shown


async def knows_region(connection: Any, region_id: int) -> bool | None:
    """Whether there is such a region; None while the universe is not loaded, so that nobody can tell."""
    exists, loaded = await connection.fetchrow(KNOWS_REGION, region_id)
    return bool(exists) if loaded else None


async def unknown_regions(connection: Any, region_ids: list[int]) -> list[int]:
    """Those of `region_ids` that there are not."""
    unknown: list[int] = await connection.fetchval(UNKNOWN_REGIONS, region_ids)
    return unknown
