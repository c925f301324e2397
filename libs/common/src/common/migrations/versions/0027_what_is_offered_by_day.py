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
ORDER: list[Any] = ["date_issued", "contract_id"]
SAMPLE_ORDER: list[Any] = [sa.text("hashint8(contract_id)")]
MOST = ["most_runs", "most_material_efficiency", "most_time_efficiency"]
SEEN = [
    *("region_id", "type", "issuer_corporation_id", "date_issued", "date_expired", "start_location_id", "system_id"),
    *("security", "price", "volume", "delisted_at", "items_state", "composition", "contains_ship", "value_ratio"),
    *("offers_copy", *MOST),
]
UNSAFE, SHIPS = f"{LISTED} AND security <> 'high'::text", f"{LISTED} AND contains_ship"
COPIES, ROLLED = f"{LISTED} AND offers_copy", f"{LISTED} AND offers_rolled"
VALUED, VALUED_COPIES = f"{LISTED} AND value_ratio IS NOT NULL", f"{LISTED} AND offers_copy AND value_ratio IS NOT NULL"
SAMPLE = f"{LISTED} AND contract_id % 32::bigint = 0"
SAMPLED = [
    *("contract_id", "region_id", "type", "issuer_id", "issuer_corporation_id", "date_issued", "date_expired"),
    *("start_location_id", "system_id", "security", "price", "buyout", "reward", "collateral", "volume"),
    *("days_to_complete", "delisted_at", "items_state", "composition", "contains_ship", "value_ratio"),
    "reward_per_m3",
]
ROLLS = "ix_dynamic_item_attributes_attribute_id_value"


def upgrade() -> None:
    _replace("live", ORDER, include=SEEN)
    _replace("live_region", ["region_id", *ORDER], include=SEEN)
    _replace("live_copies", ORDER, COPIES, include=SEEN)
    _replace("live_rolled", ORDER, ROLLED, include=[*SEEN, "offers_rolled"])
    _replace("live_ships", ORDER, SHIPS, include=SEEN)
    _replace("live_value_ratio", ["value_ratio", "contract_id"], VALUED, include=SEEN)
    _replace("live_sample", SAMPLE_ORDER, SAMPLE, include=[*SAMPLED, "offers_copy", "offers_rolled", *MOST])
    _replace("facets", ["facets", ISSUED_ON], SURELY_LISTED, kind="gin")
    _replace("live_place", ["system_id", "start_location_id", "type", "region_id"])
    _create("live_unsafe_issued", ORDER, UNSAFE, include=SEEN)
    _create("live_unusual", ORDER, f"{LISTED} AND type <> 'item_exchange'::text", include=SEEN)
    _create("live_valued_copies", ["value_ratio", "contract_id"], VALUED_COPIES)
    op.drop_index(ROLLS, table_name="dynamic_item_attributes")
    op.create_index(ROLLS, "dynamic_item_attributes", ["attribute_id", "value"], postgresql_include=["item_id"])


def downgrade() -> None:
    op.drop_index(ROLLS, table_name="dynamic_item_attributes")
    op.create_index(ROLLS, "dynamic_item_attributes", ["attribute_id", "value"])
    for name in ("live_valued_copies", "live_unusual", "live_unsafe_issued"):
        op.drop_index(f"ix_contracts_{name}", table_name="contracts")
    _replace("live_place", ["system_id", "start_location_id", "region_id"])
    _replace("facets", ["facets"], kind="gin")
    _replace("live_sample", SAMPLE_ORDER, SAMPLE, include=SAMPLED)
    _replace("live_value_ratio", ["value_ratio", "contract_id"], VALUED)
    _replace("live_ships", ORDER, SHIPS)
    _replace("live_rolled", ORDER, ROLLED, include=["price", "type", "date_expired"])
    _replace("live_copies", ORDER, COPIES, include=[*MOST, "price", "type", "date_expired"])
    _replace("live_region", ["region_id", *ORDER])
    _replace("live", ORDER)


def _replace(
    name: str, columns: list[Any], where: str = LISTED, *, kind: str = "btree", include: Sequence[str] = ()
) -> None:
    op.drop_index(f"ix_contracts_{name}", table_name="contracts")
    _create(name, columns, where, kind=kind, include=include)


def _create(
    name: str, columns: list[Any], where: str = LISTED, *, kind: str = "btree", include: Sequence[str] = ()
) -> None:
    op.create_index(
        f"ix_contracts_{name}",
        "contracts",
        columns,
        unique=False,
        postgresql_using=kind,
        postgresql_where=sa.text(where),
        postgresql_include=[column for column in include if column not in columns],
    )
