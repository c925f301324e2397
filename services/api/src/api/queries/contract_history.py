"""What happened to one contract, as JSON text that PostgreSQL wrote."""

from typing import Any

# Of what vanished before changes were kept, the contract's own columns tell.
HISTORY = """
/* contract.history */
WITH happened AS (
    SELECT listed_at AS at, 1 AS place, 'listed' AS event, json_build_object('region_id', region_id) AS details
      FROM contracts WHERE contract_id = $1
    UNION ALL
    SELECT items_read_at, 2, 'enriched', json_build_object(
               'label', label, 'composition', composition, 'contains_ship', contains_ship,
               'items_offered', items_offered, 'items_requested', items_requested)
      FROM contracts WHERE contract_id = $1 AND items_read_at IS NOT NULL
    UNION ALL
    SELECT date_bid, 3, 'bid', json_build_object('bid_id', bid_id, 'amount', amount) FROM bids WHERE contract_id = $1
    UNION ALL
    SELECT changed_at, 4, change, jsonb_strip_nulls(details - 'contract_id' - 'region_id')::json
      FROM contract_changes WHERE contract_id = $1
    UNION ALL
    SELECT date_expired, 5, 'expired', '{}' FROM contracts
     WHERE contract_id = $1 AND date_expired <= least(now(), coalesce(delisted_at, 'infinity'))
    UNION ALL
    SELECT delisted_at, 6, 'delisted', json_build_object('outcome', outcome) FROM contracts
     WHERE contract_id = $1 AND delisted_at IS NOT NULL AND 'delisted' IS DISTINCT FROM (
           SELECT change FROM contract_changes WHERE contract_id = $1 AND change IN ('delisted', 'relisted')
            ORDER BY changed_at DESC LIMIT 1)
)
SELECT json_build_object(
           'contract_id', c.contract_id, 'as_of', v.swept_at,
           'live', c.delisted_at IS NULL AND c.date_expired > now(), 'items_state', c.items_state, 'outcome', c.outcome,
           'items', (SELECT json_agg(json_build_object('at', at, 'event', event, 'details', details)
                                     ORDER BY at, place) FROM happened))::text
  FROM contracts c LEFT JOIN coverage v USING (region_id) WHERE c.contract_id = $1
"""

BIDS = """
/* contract.bids */
SELECT json_build_object(
           'contract_id', c.contract_id, 'as_of', v.swept_at, 'is_auction', c.type = 'auction', 'count', c.bids_count,
           'highest', c.highest_bid, 'price', c.price, 'buyout', c.buyout,
           'items', coalesce((SELECT json_agg(json_build_object(
               'bid_id', bid_id, 'amount', amount, 'date_bid', date_bid) ORDER BY amount DESC, bid_id DESC)
                 FROM bids b WHERE b.contract_id = c.contract_id), '[]'::json))::text
  FROM contracts c LEFT JOIN coverage v USING (region_id) WHERE c.contract_id = $1
"""


async def history(connection: Any, contract_id: int) -> str | None:
    """What happened to the contract, the oldest first; None if it was never seen."""
    shown: str | None = await connection.fetchval(HISTORY, contract_id)
    return shown


async def bids(connection: Any, contract_id: int) -> str | None:
    """The bids on the contract, the highest first; None if it was never seen."""
    shown: str | None = await connection.fetchval(BIDS, contract_id)
    return shown
