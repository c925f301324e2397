"""Courier contracts by what they pay for a jump: the order in which they are listed first of all"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PER_JUMP = "(reward::float8 / (jumps + (jumps = 0)::int)) DESC NULLS LAST"


def upgrade() -> None:
    op.create_index(
        "ix_contracts_couriers_per_jump",
        "contracts",
        [sa.text(PER_JUMP), sa.text("contract_id DESC")],
        unique=False,
        postgresql_where=sa.text("type = 'courier' AND delisted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_contracts_couriers_per_jump", table_name="contracts")
