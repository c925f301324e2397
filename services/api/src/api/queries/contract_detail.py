"""One contract and everything it holds, as JSON text that PostgreSQL wrote."""

from typing import Any

CONTRACT = """
WITH items AS (
    SELECT i.is_included, json_agg(json_build_object(
               'record_id', i.record_id, 'type_id', i.type_id, 'type_name', t.name, 'quantity', i.quantity,
               'item_id', i.item_id, 'is_blueprint_copy', i.is_blueprint_copy, 'runs', i.runs,
               'material_efficiency', i.material_efficiency, 'time_efficiency', i.time_efficiency,
               'dynamic', CASE WHEN d.item_id IS NOT NULL THEN json_build_object(
                   'state', d.state, 'source_type_id', d.source_type_id, 'mutator_type_id', d.mutator_type_id,
                   'attributes', coalesce((SELECT json_agg(json_build_object(
                       'attribute_id', a.attribute_id, 'value', a.value) ORDER BY a.attribute_id)
                         FROM dynamic_item_attributes a WHERE a.item_id = d.item_id), '[]'::json)) END
           ) ORDER BY i.record_id) AS listed
      FROM contract_items i LEFT JOIN types t USING (type_id) LEFT JOIN dynamic_items d ON d.item_id = i.item_id
     WHERE i.contract_id = $1 GROUP BY i.is_included
), shown AS (
    SELECT c.contract_id, c.type AS contract_type, c.region_id, r.name AS region_name,
           y.system_id, y.name AS system_name, c.start_location_id, t.name AS start_location_name,
           c.issuer_id, i.name AS issuer_name, c.issuer_corporation_id, k.name AS issuer_corporation_name,
           c.for_corporation, c.price, c.buyout, c.reward, c.collateral, c.volume, c.title, c.label, c.composition,
           c.contains_ship, c.is_blueprint_copy, c.runs, c.material_efficiency, c.time_efficiency,
           c.packaged_volume, c.value_buy, c.value_sell, c.value_average, c.value_lines, c.value_lines_priced,
           c.value_ratio, c.date_issued, c.date_expired, c.items_state,
           c.delisted_at IS NULL AND c.date_expired > now() AS live, c.listed_at, c.delisted_at, c.outcome,
           c.days_to_complete, c.end_location_id, e.name AS end_location_name,
           coalesce((SELECT listed FROM items WHERE is_included), '[]'::json) AS items_offered,
           coalesce((SELECT listed FROM items WHERE NOT is_included), '[]'::json) AS items_requested
      FROM contracts c
           LEFT JOIN regions r ON r.region_id = c.region_id
           LEFT JOIN stations t ON t.station_id = c.start_location_id
           LEFT JOIN systems y ON y.system_id = t.system_id
           LEFT JOIN stations e ON e.station_id = c.end_location_id
           LEFT JOIN names i ON i.entity_id = c.issuer_id
           LEFT JOIN names k ON k.entity_id = c.issuer_corporation_id
     WHERE c.contract_id = $1
)
SELECT row_to_json(shown)::text FROM shown
"""


async def contract(connection: Any, contract_id: int) -> str | None:
    """The contract, live or gone, with its items; None if it was never seen."""
    shown: str | None = await connection.fetchval(CONTRACT, contract_id)
    return shown
