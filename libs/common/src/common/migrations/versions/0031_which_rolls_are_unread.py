"""Which rolls are unread, so that a list that asks for some knows at once that none is missing for that"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NAME = "ix_dynamic_items_unread"


def upgrade() -> None:
    op.create_index(NAME, "dynamic_items", ["item_id"], unique=False, postgresql_where=sa.text("state <> 'stored'"))


def downgrade() -> None:
    op.drop_index(NAME, table_name="dynamic_items")
