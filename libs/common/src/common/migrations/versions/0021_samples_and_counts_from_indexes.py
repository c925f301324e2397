"""Samples, counts by price and what is overdue are read from indexes alone"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LISTED = "delisted_at IS NULL"
SAMPLE, PRICE, EXPIRING = "ix_contracts_live_sample", "ix_contracts_live_price", "ix_contracts_expiring"
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


def upgrade() -> None:
    _replace(SAMPLED, ["type", "date_expired"], ["type", "region_id"])


def downgrade() -> None:
    _replace([], [], [])


def _replace(sampled: list[str], priced: list[str], expiring: list[str]) -> None:
    one_of = f"{LISTED} AND contract_id % 32::bigint = 0"
    for name, columns, included, where in (
        (SAMPLE, [sa.text("hashint8(contract_id)")], sampled, one_of),
        (PRICE, ["price", "contract_id"], priced, LISTED),
        (EXPIRING, ["date_expired", "contract_id"], expiring, LISTED),
    ):
        op.drop_index(name, table_name="contracts")
        op.create_index(
            name,
            "contracts",
            columns,
            unique=False,
            postgresql_include=included,
            postgresql_where=sa.text(where),
        )
