"""Schedules that emit any event, and what it takes to tell whether they fit upstream's budget"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TEXTS = postgresql.ARRAY(sa.Text())


def upgrade() -> None:
    op.add_column(
        "schedules",
        sa.Column(
            "emits", postgresql.JSONB(), nullable=True, comment="emit: type and data of an event of the catalogue"
        ),
    )
    _check("action IN ('ingest', 'reconcile', 'emit')")
    op.create_check_constraint(op.f("ck_schedules_emits"), "schedules", "(action = 'emit') = (emits IS NOT NULL)")
    op.add_column(
        "schedule_slots", sa.Column("event_id", sa.Uuid(), nullable=True, comment="The id of what it emitted")
    )
    op.add_column(
        "schedule_requests",
        sa.Column(
            "scopes", TEXTS, server_default=sa.text("'{}'"), nullable=False, comment="What the asker's key may do"
        ),
    )
    op.add_column(
        "upstream_limits",
        sa.Column("window_seconds", sa.Integer(), nullable=True, comment="Of a token bucket"),
    )
    op.add_column(
        "upstream_limits",
        sa.Column("routes", TEXTS, nullable=True, comment="Those that a token bucket counts, numbers as *"),
    )
    op.create_index(op.f("ix_runs_dataset_scope_accepted_at"), "runs", ["dataset", "scope", "accepted_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_runs_dataset_scope_accepted_at"), table_name="runs")
    op.drop_column("upstream_limits", "routes")
    op.drop_column("upstream_limits", "window_seconds")
    op.drop_column("schedule_requests", "scopes")
    op.drop_column("schedule_slots", "event_id")
    op.execute("DELETE FROM schedules WHERE action = 'emit'")
    op.drop_constraint(op.f("ck_schedules_emits"), "schedules", type_="check")
    _check("action IN ('ingest', 'reconcile')")
    op.drop_column("schedules", "emits")


def _check(condition: str) -> None:
    op.drop_constraint(op.f("ck_schedules_action"), "schedules", type_="check")
    op.create_check_constraint(op.f("ck_schedules_action"), "schedules", condition)
