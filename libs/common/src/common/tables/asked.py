"""Which contracts tell what is asked for a type, and what is told of them: an index holds just these and just that."""

from typing import Final

ASKED: Final = "type = 'item_exchange' AND composition = 'single' AND items_state = 'stored' AND price > 0::numeric"
"""Of the only type that they offer, which is their first facet."""

TOLD_OF_ASKED: Final = [
    "region_id",
    "contract_id",
    "date_expired",
    "units",
    "runs",
    "material_efficiency",
    "time_efficiency",
    "is_blueprint_copy",
    "facets",
    "price",
    "outcome",
]
"""In the order that takes the least room. The facets are there because PostgreSQL, asked for the first of them, takes
it that all are needed."""
