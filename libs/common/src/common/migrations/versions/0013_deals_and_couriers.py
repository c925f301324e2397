"""Deals and couriers: each has an index of its own, for both are few"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DEAL = """
delisted_at IS NULL AND type = 'item_exchange' AND items_requested = 0 AND coalesce(reward, 0) = 0 AND volume > 0
AND value_sell <= 1.5 * value_average AND value_buy >= 0.25 * least(value_sell, value_average)
AND price >= 0.1 * least(value_sell, value_average) AND least(value_sell, value_average) - price >= 1000000
"""
DEAL_RATIO = "(price::float8 / least(value_sell, value_average)::float8)"


def upgrade() -> None:
    op.create_index(
        "ix_contracts_deals",
        "contracts",
        [sa.text(DEAL_RATIO), "contract_id"],
        unique=False,
        postgresql_where=sa.text(DEAL),
    )
    op.create_index(
        "ix_contracts_couriers",
        "contracts",
        ["region_id", "contract_id"],
        unique=False,
        postgresql_where=sa.text("type = 'courier' AND delisted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_contracts_couriers", table_name="contracts")
    op.drop_index("ix_contracts_deals", table_name="contracts")
