"""Old slots in ranges: those that fired and went well, without a gap between them"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INSTANT = sa.DateTime(timezone=True)
BEFORE = "Every slot of every schedule exactly once, with its fate"


def upgrade() -> None:
    op.create_table(
        "schedule_ranges",
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("from_slot", INSTANT, nullable=False),
        sa.Column("to_slot", INSTANT, nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False, comment="That the slots caused; all succeeded"),
        sa.Column(
            "proof",
            sa.LargeBinary(),
            nullable=False,
            comment="A digest of all the slots: see common.slots.folding",
        ),
        sa.Column("decided_at", INSTANT, nullable=False, comment="When the last of them was"),
        sa.Column("worst_lateness_ms", sa.Integer(), nullable=False),
        sa.Column("total_lateness_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("schedule_id", "from_slot", name=op.f("pk_schedule_ranges")),
        comment="Old slots without a gap between them that fired and went well, in place of their lines",
    )
    op.create_table_comment("schedule_slots", f"{BEFORE}; old ones are in schedule_ranges", existing_comment=BEFORE)


def downgrade() -> None:
    op.create_table_comment("schedule_slots", BEFORE, existing_comment=f"{BEFORE}; old ones are in schedule_ranges")
    op.drop_table("schedule_ranges")
