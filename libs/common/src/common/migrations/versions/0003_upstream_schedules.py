"""Schedules that follow upstream's cache, and indexes to count by"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# A region's schedule as the scheduler made it: its offset is the second in which it was made. One whose interval,
# name or state somebody has changed stays an interval.
FOLLOW_UPSTREAM = """
UPDATE schedules
   SET kind = 'upstream', offset_seconds = 0,
       min_seconds = least(30, every_seconds), max_seconds = greatest(3600, every_seconds)
 WHERE kind = 'interval' AND action = 'ingest' AND dataset = 'contracts' AND overlap = 'skip'
   AND schedule_id = 'contracts:' || (scope ->> 'region_id') AND name = 'Sweep of region ' || (scope ->> 'region_id')
   AND NOT paused AND note IS NULL
   AND (floor(extract(epoch FROM created_at))::bigint - offset_seconds) % every_seconds IN (0, 1)
"""


def upgrade() -> None:
    op.add_column(
        "schedules",
        sa.Column(
            "min_seconds", sa.Integer(), nullable=True, comment="upstream: what lies between two slots at the least"
        ),
    )
    op.add_column(
        "schedules",
        sa.Column("max_seconds", sa.Integer(), nullable=True, comment="upstream: likewise, at the most"),
    )
    op.add_column(
        "schedules",
        sa.Column(
            "fresh_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="upstream: the latest instant that a run told; before it upstream has nothing newer",
        ),
    )
    op.alter_column(
        "schedules",
        "every_seconds",
        comment="interval: between slots; upstream: to the next slot while no run has told a better one",
    )
    op.drop_constraint(op.f("ck_schedules_kind"), "schedules", type_="check")
    op.create_check_constraint(op.f("ck_schedules_kind"), "schedules", "kind IN ('interval', 'upstream')")
    op.create_check_constraint(
        op.f("ck_schedules_upstream_bounds"),
        "schedules",
        "kind <> 'upstream' OR (min_seconds >= 1 AND max_seconds >= min_seconds) IS TRUE",
    )
    op.execute(FOLLOW_UPSTREAM)
    op.create_index(op.f("ix_runs_dataset_state"), "runs", ["dataset", "state"], unique=False)
    op.create_index(
        "ix_contracts_counted",
        "contracts",
        ["region_id", "type", "items_state"],
        unique=False,
        postgresql_include=["date_expired"],
        postgresql_where=sa.text("delisted_at IS NULL"),
    )
    op.drop_index(op.f("ix_contracts_delisted_at"), table_name="contracts")
    op.create_index(
        op.f("ix_contracts_delisted_at"),
        "contracts",
        ["delisted_at"],
        unique=False,
        postgresql_include=["region_id", "items_state"],
        postgresql_where=sa.text("delisted_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_contracts_delisted_at"), table_name="contracts")
    op.create_index(
        op.f("ix_contracts_delisted_at"),
        "contracts",
        ["delisted_at"],
        unique=False,
        postgresql_where=sa.text("delisted_at IS NOT NULL"),
    )
    op.drop_index("ix_contracts_counted", table_name="contracts", postgresql_where=sa.text("delisted_at IS NULL"))
    op.drop_index(op.f("ix_runs_dataset_state"), table_name="runs")
    op.execute("UPDATE schedules SET kind = 'interval' WHERE kind = 'upstream'")
    op.drop_constraint(op.f("ck_schedules_upstream_bounds"), "schedules", type_="check")
    op.drop_constraint(op.f("ck_schedules_kind"), "schedules", type_="check")
    op.create_check_constraint(op.f("ck_schedules_kind"), "schedules", "kind IN ('interval')")
    op.alter_column("schedules", "every_seconds", comment=None)
    op.drop_column("schedules", "fresh_until")
    op.drop_column("schedules", "max_seconds")
    op.drop_column("schedules", "min_seconds")
