"""Regions and types, as JSON text that PostgreSQL wrote."""

from typing import Any

REGIONS = """
WITH shown AS (
    SELECT r.region_id, r.name, CASE WHEN v.region_id IS NOT NULL THEN json_build_object(
               'as_of', v.swept_at, 'generation', v.generation,
               'complete', coalesce(v.complete_generation = v.generation, false), 'fresh_until', v.fresh_until
           ) END AS coverage
      FROM regions r LEFT JOIN coverage v USING (region_id)
)
SELECT json_build_object('items', coalesce(json_agg(shown ORDER BY name, region_id), '[]'))::text FROM shown
"""

TYPE = """
SELECT json_build_object(
    'type_id', t.type_id, 'name', t.name,
    'group', json_build_object('group_id', t.group_id, 'name', g.name),
    'category', CASE WHEN g.group_id IS NOT NULL
                     THEN json_build_object('category_id', g.category_id, 'name', k.name) END,
    'volume', t.volume, 'packaged_volume', t.packaged_volume, 'portion_size', t.portion_size,
    'market_group_id', t.market_group_id, 'meta_group_id', t.meta_group_id
)::text
  FROM types t LEFT JOIN groups g USING (group_id) LEFT JOIN categories k USING (category_id)
 WHERE t.type_id = $1
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
