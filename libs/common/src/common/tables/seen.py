"""What is seen of contracts in indexes, without reading them."""

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
    "offers_copy",
    "offers_rolled",
    "most_runs",
    "most_material_efficiency",
    "most_time_efficiency",
]
"""Of those that samples are made of: all that lists are filtered by, but for `facets`, which may be too long."""

WALKED = [
    "region_id",
    "type",
    "issuer_corporation_id",
    "date_issued",
    "date_expired",
    "start_location_id",
    "system_id",
    "security",
    "price",
    "volume",
    "delisted_at",
    "items_state",
    "composition",
    "contains_ship",
    "value_ratio",
    "offers_copy",
    "most_runs",
    "most_material_efficiency",
    "most_time_efficiency",
]
"""Of those that a list walks past, or that are found by what few have: what lists are mostly filtered by."""


def beside(*keys: str) -> list[str]:
    """What an index that begins with `keys` has to include for that."""
    return [name for name in WALKED if name not in keys]
