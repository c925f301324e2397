"""What samples of contracts are made of."""

SAMPLED = [
    "contract_id",
    "region_id",
    "type",
    "issuer_id",
    "issuer_corporation_id",
    "date_issued",
    "date_expired",
    "start_location_id",
    "system_id",
    "security",
    "price",
    "buyout",
    "reward",
    "collateral",
    "volume",
    "days_to_complete",
    "delisted_at",
    "items_state",
    "composition",
    "contains_ship",
    "value_ratio",
    "reward_per_m3",
]
"""All that lists are filtered by, but for `facets`, which may be too long for an index."""
