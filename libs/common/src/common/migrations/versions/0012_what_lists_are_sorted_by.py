"""What lists are sorted by and narrowed down to: indexes on what is listed"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COUNTED, EXPIRING = "ix_contracts_counted", "ix_contracts_expiring"
LISTED = "delisted_at IS NULL"
NEW = (
    ("ix_contracts_live_id", ["contract_id"], LISTED),
    ("ix_contracts_live_price", ["price", "contract_id"], LISTED),
    ("ix_contracts_live_volume", ["volume", "contract_id"], LISTED),
    ("ix_contracts_live_value_ratio", ["value_ratio", "contract_id"], f"{LISTED} AND value_ratio IS NOT NULL"),
    ("ix_contracts_live_runs", ["runs", "contract_id"], f"{LISTED} AND runs IS NOT NULL"),
    ("ix_contracts_live_reward", ["reward", "contract_id"], f"{LISTED} AND reward > 0::numeric"),
    ("ix_contracts_live_collateral", ["collateral", "contract_id"], f"{LISTED} AND collateral > 0::numeric"),
    ("ix_contracts_live_days_to_complete", ["days_to_complete", "contract_id"], f"{LISTED} AND days_to_complete > 0"),
    ("ix_contracts_live_reward_per_m3", ["reward_per_m3", "contract_id"], f"{LISTED} AND reward_per_m3 IS NOT NULL"),
    ("ix_contracts_live_issuer_id", ["issuer_id"], LISTED),
    ("ix_contracts_live_issuer_corporation_id", ["issuer_corporation_id"], LISTED),
    ("ix_contracts_live_place", ["system_id", "start_location_id"], LISTED),
    ("ix_contracts_live_unsafe", ["security"], f"{LISTED} AND security <> 'high'::text"),
    ("ix_contracts_live_ships", ["date_issued", "contract_id"], f"{LISTED} AND contains_ship"),
    ("ix_contracts_live_sample", [sa.text("hashint8(contract_id)")], f"{LISTED} AND contract_id % 32::bigint = 0"),
)
COPIES = "is_included AND (is_blueprint_copy IS TRUE OR runs >= 0)"


def upgrade() -> None:
    for name, columns, where in NEW:
        op.create_index(name, "contracts", columns, unique=False, postgresql_where=sa.text(where))
    op.create_index(
        "ix_contract_items_copies",
        "contract_items",
        ["contract_id", "runs", "material_efficiency", "time_efficiency"],
        unique=False,
        postgresql_where=sa.text(COPIES),
    )
    op.create_index(
        op.f("ix_dynamic_item_attributes_attribute_id_value"),
        "dynamic_item_attributes",
        ["attribute_id", "value"],
        unique=False,
    )
    op.drop_index(EXPIRING, table_name="contracts")
    op.create_index(
        EXPIRING, "contracts", ["date_expired", "contract_id"], unique=False, postgresql_where=sa.text(LISTED)
    )
    _count_by(["type", "region_id", "items_state"])


def downgrade() -> None:
    _count_by(["region_id", "type", "items_state"])
    op.drop_index(EXPIRING, table_name="contracts")
    op.create_index(EXPIRING, "contracts", ["date_expired"], unique=False, postgresql_where=sa.text(LISTED))
    op.drop_index("ix_dynamic_item_attributes_attribute_id_value", table_name="dynamic_item_attributes")
    op.drop_index("ix_contract_items_copies", table_name="contract_items")
    for name, _, _ in reversed(NEW):
        op.drop_index(name, table_name="contracts")


def _count_by(columns: list[str]) -> None:
    op.drop_index(COUNTED, table_name="contracts")
    op.create_index(
        COUNTED,
        "contracts",
        columns,
        unique=False,
        postgresql_include=["date_expired"],
        postgresql_where=sa.text(LISTED),
    )
