"""One contract and everything it holds, as JSON text that PostgreSQL wrote."""

from typing import Any

from api.queries.pricing import AVERAGE, BLUEPRINT, IMAGE, IS_COPY, OF_TYPES, SELL, SHIP, UNPRICED, total

_ROLLS = """
CASE WHEN d.item_id IS NOT NULL THEN json_build_object(
    'state', d.state, 'source_type_id', d.source_type_id, 'source_type_name', s.name,
    'mutator_type_id', d.mutator_type_id, 'mutator_type_name', m.name,
    'attributes', coalesce((SELECT json_agg(json_build_object(
        'attribute_id', a.attribute_id, 'value', a.value) ORDER BY a.attribute_id)
          FROM dynamic_item_attributes a WHERE a.item_id = d.item_id), '[]'::json)) END
"""

_HELD = f"""
SELECT i.record_id, i.is_included, i.type_id, t.name AS type_name, t.group_id, g.name AS group_name, g.category_id,
       k.name AS category_name, i.quantity, i.item_id,
       CASE WHEN {IS_COPY} THEN true WHEN g.category_id = {BLUEPRINT} THEN false END AS is_blueprint_copy,
       i.runs, i.material_efficiency, i.time_efficiency, {UNPRICED} AS unpriced,
       p.buy, {SELL} AS sell, {AVERAGE} AS average,
       {total("p.buy")} AS total_buy, {total(SELL)} AS total_sell, {total(AVERAGE)} AS total_average,
       {IMAGE} AS image, {_ROLLS} AS dynamic
  FROM contract_items i {OF_TYPES}
       LEFT JOIN dynamic_items d ON d.item_id = i.item_id
       LEFT JOIN types s ON s.type_id = d.source_type_id LEFT JOIN types m ON m.type_id = d.mutator_type_id
 WHERE i.contract_id = $1
"""  # noqa: S608 - constants

_LINE = """
json_build_object(
    'record_id', record_id, 'type_id', type_id, 'type_name', type_name, 'group_id', group_id, 'group_name', group_name,
    'category_id', category_id, 'category_name', category_name, 'quantity', quantity, 'item_id', item_id,
    'is_blueprint_copy', is_blueprint_copy, 'runs', runs, 'material_efficiency', material_efficiency,
    'time_efficiency', time_efficiency,
    'value', CASE WHEN unpriced IS NULL THEN json_build_object(
        'unit', json_build_object('buy', buy, 'sell', sell, 'average', average),
        'total', json_build_object('buy', total_buy, 'sell', total_sell, 'average', total_average)) END,
    'unpriced', unpriced, 'image', image, 'dynamic', dynamic)
"""

CONTRACT = f"""
/* contract.detail */
WITH held AS MATERIALIZED ({_HELD}), lines AS (
    SELECT is_included, json_agg({_LINE} ORDER BY record_id) AS listed FROM held GROUP BY is_included
), face AS (
    SELECT image FROM held
     ORDER BY is_included DESC, category_id IS NOT DISTINCT FROM {SHIP} DESC, record_id LIMIT 1
), shown AS (
    SELECT c.contract_id, c.type AS contract_type, c.delisted_at IS NULL AND c.date_expired > now() AS live,
           v.swept_at AS as_of,
           (SELECT generation FROM price_sources WHERE source = 'orders') AS prices_as_of,
           c.region_id, r.name AS region_name, c.system_id, y.name AS system_name, c.security, y.security_status,
           c.start_location_id, t.name AS start_location_name,
           c.end_location_id, e.name AS end_location_name, c.end_system_id, z.name AS end_system_name,
           z.security AS end_security, z.security_status AS end_security_status,
           z.region_id AS end_region_id, q.name AS end_region_name, c.jumps, c.jumps_high_security,
           c.issuer_id, n.name AS issuer_name, c.issuer_corporation_id, k.name AS issuer_corporation_name,
           c.for_corporation, c.price, c.buyout, c.reward, c.reward_per_m3, c.collateral, c.volume, c.days_to_complete,
           c.title, c.label, c.composition, c.contains_ship, c.is_blueprint_copy, c.runs, c.material_efficiency,
           c.time_efficiency, c.packaged_volume, c.value_buy, c.value_sell, c.value_average, c.value_lines,
           c.value_lines_priced, c.value_ratio, c.date_issued, c.date_expired, c.listed_at, c.delisted_at, c.outcome,
           c.items_state, c.items_read_at,
           CASE WHEN c.type = 'auction' THEN json_build_object(
               'count', c.bids_count, 'highest', c.highest_bid,
               'latest_at', (SELECT max(date_bid) FROM bids b WHERE b.contract_id = c.contract_id)) END AS bids,
           json_build_object(
               'game', '<url=contract:' || c.system_id || '//' || c.contract_id || '>' || replace(replace(replace(
                   coalesce(c.label, 'Contract ' || c.contract_id), '&', '&amp;'), '<', '&lt;'), '>', '&gt;')
                   || '</url>',
               'image', (SELECT image FROM face),
               'history', '/api/v1/contracts/' || c.contract_id || '/history',
               'bids', CASE WHEN c.type = 'auction' THEN '/api/v1/contracts/' || c.contract_id || '/bids' END
           ) AS links,
           coalesce((SELECT listed FROM lines WHERE is_included), '[]'::json) AS items_offered,
           coalesce((SELECT listed FROM lines WHERE NOT is_included), '[]'::json) AS items_requested
      FROM contracts c
           LEFT JOIN coverage v ON v.region_id = c.region_id
           LEFT JOIN regions r ON r.region_id = c.region_id
           LEFT JOIN systems y ON y.system_id = c.system_id
           LEFT JOIN stations t ON t.station_id = c.start_location_id
           LEFT JOIN stations e ON e.station_id = c.end_location_id
           LEFT JOIN systems z ON z.system_id = c.end_system_id
           LEFT JOIN regions q ON q.region_id = z.region_id
           LEFT JOIN names n ON n.entity_id = c.issuer_id
           LEFT JOIN names k ON k.entity_id = c.issuer_corporation_id
     WHERE c.contract_id = $1
)
SELECT row_to_json(shown)::text FROM shown
"""  # noqa: S608 - constants


async def contract(connection: Any, contract_id: int) -> str | None:
    """The contract, live or gone, with its items; None if it was never seen."""
    shown: str | None = await connection.fetchval(CONTRACT, contract_id)
    return shown
