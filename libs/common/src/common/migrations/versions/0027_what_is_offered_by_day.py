"""What is offered is found by the day of its issue, couriers by their place; a walk sees what lists are filtered by"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LISTED = "delisted_at IS NULL"
SURELY_LISTED = "(delisted_at IS NULL) IS TRUE"
ISSUED_ON = sa.text("(ARRAY[(date_issued AT TIME ZONE 'UTC')::date])")
ORDER = ["date_issued", "contract_id"]
SEEN = [
    *("region_id", "type", "date_expired", "start_location_id", "system_id", "security", "price", "volume"),
    *("delisted_at", "items_state", "composition", "contains_ship", "value_ratio"),
]
NEW = {
    "ix_contracts_live_unsafe_issued": (ORDER, f"{LISTED} AND security <> 'high'::text"),
    "ix_contracts_live_valued_copies": (
        ["value_ratio", "contract_id"],
        f"{LISTED} AND offers_copy AND value_ratio IS NOT NULL",
    ),
}
ROLLS = "ix_dynamic_item_attributes_attribute_id_value"


def upgrade() -> None:
    _replace("ix_contracts_live", ORDER, postgresql_include=SEEN)
    _replace("ix_contracts_live_region", ["region_id", *ORDER], postgresql_include=SEEN[1:])
    _replace("ix_contracts_facets", ["facets", ISSUED_ON], SURELY_LISTED, postgresql_using="gin")
    _replace("ix_contracts_live_place", ["system_id", "start_location_id", "type", "region_id"])
    for name, (columns, where) in NEW.items():
        op.create_index(name, "contracts", columns, unique=False, postgresql_where=sa.text(where))
    op.drop_index(ROLLS, table_name="dynamic_item_attributes")
    op.create_index(ROLLS, "dynamic_item_attributes", ["attribute_id", "value"], postgresql_include=["item_id"])


def downgrade() -> None:
    op.drop_index(ROLLS, table_name="dynamic_item_attributes")
    op.create_index(ROLLS, "dynamic_item_attributes", ["attribute_id", "value"])
    for name in NEW:
        op.drop_index(name, table_name="contracts")
    _replace("ix_contracts_live_place", ["system_id", "start_location_id", "region_id"])
    _replace("ix_contracts_facets", ["facets"], postgresql_using="gin")
    _replace("ix_contracts_live_region", ["region_id", *ORDER])
    _replace("ix_contracts_live", ORDER)


def _replace(name: str, columns: list[Any], where: str = LISTED, **otherwise: Any) -> None:
    op.drop_index(name, table_name="contracts")
    op.create_index(name, "contracts", columns, unique=False, postgresql_where=sa.text(where), **otherwise)
