"""What is on offer, by category and group, as JSON text that PostgreSQL wrote."""

from typing import Any

from api.queries.live_counts import live_counts

TAXONOMY = f"""
/* taxonomy.count */
WITH of_types AS (
    SELECT t.group_id, count(*) AS types
      FROM ({live_counts("type")}) o JOIN types t ON t.type_id = o.id GROUP BY t.group_id
), of_groups AS (
    SELECT g.category_id, g.group_id, g.name, o.live, coalesce(t.types, 0) AS types
      FROM ({live_counts("group")}) o JOIN groups g ON g.group_id = o.id LEFT JOIN of_types t USING (group_id)
), inside AS (
    SELECT category_id, sum(types) AS types, json_agg(json_build_object(
               'group_id', group_id, 'name', name, 'live', live, 'types', types) ORDER BY name, group_id) AS groups
      FROM of_groups GROUP BY category_id
), of_categories AS (
    SELECT k.category_id, k.name, o.live, i.types, i.groups
      FROM ({live_counts("category")}) o JOIN categories k ON k.category_id = o.id JOIN inside i USING (category_id)
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
