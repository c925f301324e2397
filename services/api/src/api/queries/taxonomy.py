"""What is on offer, by category and group, as JSON text that PostgreSQL wrote."""

from typing import Any

from api.queries.live_counts import live_counts
from common.tables.contracts import CATEGORY_FACET, GROUP_FACET

TAXONOMY = f"""
/* taxonomy.count */
WITH offered AS MATERIALIZED ({live_counts("facet")}), of_types AS (
    SELECT t.group_id, count(*) AS types
      FROM offered o JOIN types t ON t.type_id = o.id WHERE o.id < {GROUP_FACET} GROUP BY t.group_id
), of_groups AS (
    SELECT g.category_id, g.group_id, g.name, o.live, coalesce(t.types, 0) AS types
      FROM offered o JOIN groups g ON g.group_id = o.id - {GROUP_FACET} LEFT JOIN of_types t USING (group_id)
     WHERE o.id >= {GROUP_FACET} AND o.id < {CATEGORY_FACET}
), inside AS (
    SELECT category_id, sum(types) AS types, json_agg(json_build_object(
               'group_id', group_id, 'name', name, 'live', live, 'types', types) ORDER BY name, group_id) AS groups
      FROM of_groups GROUP BY category_id
), of_categories AS (
    SELECT k.category_id, k.name, o.live, i.types, i.groups
      FROM inside i JOIN categories k USING (category_id)
           JOIN offered o ON o.id = k.category_id + {CATEGORY_FACET}
), unread AS (
    SELECT (SELECT count(*) FROM contracts
             WHERE items_state = 'wanted' AND delisted_at IS NULL AND date_expired > now()) AS pending,
           (SELECT count(*) FROM contracts
             WHERE items_state = 'failed' AND delisted_at IS NULL AND date_expired > now()) AS unknown
)
SELECT json_build_object(
           'as_of', (SELECT min(swept_at) FROM coverage), 'complete', pending = 0 AND unknown = 0,
           'pending', pending, 'unknown', unknown,
           'categories', (SELECT coalesce(json_agg(of_categories ORDER BY name, category_id), '[]')
                            FROM of_categories))::text
  FROM unread
"""  # noqa: S608 - constants


async def taxonomy(connection: Any) -> str:
    """Categories and groups that live contracts offer, with how many do, and how much of the market that covers."""
    counted: str = await connection.fetchval(TAXONOMY)
    return counted
