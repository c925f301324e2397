"""When items were read: the instant since which it is known what a contract holds"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    # Null of what was read before: nobody noted when, and no row is written for it.
    op.add_column("contracts", sa.Column("items_read_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("contracts", "items_read_at")
