"""Schedules by a calendar, what operators ask of them, and which definition governed when"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("clock_timestamp()")

LAST_SLOTS = """
UPDATE schedules s
   SET last_decided_at = (SELECT decided_at FROM schedule_slots t
                           WHERE t.schedule_id = s.schedule_id ORDER BY slot_at DESC LIMIT 1),
       (last_fired_at, last_run_id) = (SELECT decided_at, run_id FROM schedule_slots t
                                        WHERE t.schedule_id = s.schedule_id AND t.fate = 'fired'
                                        ORDER BY slot_at DESC LIMIT 1)
"""
# What was decided before is on record without the definition that it was decided by: the audit begins here.
FIRST_VERSIONS = """
INSERT INTO schedule_versions (schedule_id, version, from_at, definition)
SELECT schedule_id, 1, next_due_at, jsonb_strip_nulls(jsonb_build_object(
         'name', name, 'kind', kind, 'action', action, 'dataset', dataset, 'scope', scope,
         'every_seconds', every_seconds, 'offset_seconds', offset_seconds,
         'min_seconds', min_seconds, 'max_seconds', max_seconds, 'overlap', overlap))
  FROM schedules
"""


def upgrade() -> None:
    op.alter_column("schedules", "every_seconds", nullable=True)
    op.alter_column("schedules", "offset_seconds", server_default=sa.text("0"))
    op.alter_column("schedules", "next_due_at", nullable=True)
    for column in (
        sa.Column("cron", sa.Text(), nullable=True, comment="cron: five fields, or six with seconds first"),
        sa.Column("zone", sa.Text(), nullable=True, comment="cron: whose clocks it goes by"),
        sa.Column("at", INSTANT, nullable=True),
        sa.Column("start_at", INSTANT, nullable=True),
        sa.Column("end_at", INSTANT, nullable=True),
        sa.Column("catchup", sa.Text(), server_default=sa.text("'latest'"), nullable=False),
        sa.Column("catchup_seconds", sa.Integer(), nullable=True, comment="What is later than this is not made up for"),
        sa.Column("jitter_seconds", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("pause_after_failures", sa.Integer(), nullable=True),
        sa.Column(
            "version",
            sa.BigInteger(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts what operators changed",
        ),
        sa.Column("updated_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("next_slot_at", INSTANT, nullable=True, comment="Where jitter makes it differ from next_due_at"),
        sa.Column("skip_next", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("buffered_slot_at", INSTANT, nullable=True),
        sa.Column("last_decided_at", INSTANT, nullable=True),
        sa.Column("last_fired_at", INSTANT, nullable=True),
        sa.Column("last_run_id", sa.Uuid(), nullable=True),
    ):
        op.add_column("schedules", column)
    _check("kind", "kind IN ('interval', 'cron', 'once', 'upstream')")
    _check("overlap", "overlap IN ('skip', 'buffer_one', 'allow_all')")
    op.create_check_constraint(op.f("ck_schedules_catchup"), "schedules", "catchup IN ('none', 'latest', 'all')")
    op.drop_index(op.f("ix_schedules_next_due_at"), table_name="schedules")
    op.create_index(
        op.f("ix_schedules_next_due_at"),
        "schedules",
        ["next_due_at"],
        unique=False,
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_schedules_buffered",
        "schedules",
        ["schedule_id"],
        unique=False,
        postgresql_where=sa.text("buffered_slot_at IS NOT NULL"),
    )
    op.add_column(
        "schedule_slots",
        sa.Column(
            "request_id",
            sa.Uuid(),
            nullable=True,
            comment="The request that caused it; none of the schedule's own slots has one at first",
        ),
    )
    _create_tables()
    op.execute(LAST_SLOTS)
    op.execute(FIRST_VERSIONS)


def downgrade() -> None:
    op.drop_table("schedule_answers")
    op.drop_table("schedule_requests")
    op.drop_table("schedule_versions")
    op.drop_column("schedule_slots", "request_id")
    op.execute("DELETE FROM schedules WHERE kind IN ('cron', 'once') OR next_due_at IS NULL")
    op.execute("UPDATE schedules SET overlap = 'skip' WHERE overlap = 'buffer_one'")
    op.drop_index("ix_schedules_buffered", table_name="schedules")
    op.drop_index(op.f("ix_schedules_next_due_at"), table_name="schedules")
    op.create_index(
        op.f("ix_schedules_next_due_at"),
        "schedules",
        ["next_due_at"],
        unique=False,
        postgresql_where=sa.text("NOT paused"),
    )
    op.drop_constraint(op.f("ck_schedules_catchup"), "schedules", type_="check")
    _check("overlap", "overlap IN ('skip', 'allow_all')")
    _check("kind", "kind IN ('interval', 'upstream')")
    for name in (
        "cron",
        "zone",
        "at",
        "start_at",
        "end_at",
        "catchup",
        "catchup_seconds",
        "jitter_seconds",
        "pause_after_failures",
        "version",
        "updated_at",
        "next_slot_at",
        "skip_next",
        "buffered_slot_at",
        "last_decided_at",
        "last_fired_at",
        "last_run_id",
    ):
        op.drop_column("schedules", name)
    op.alter_column("schedules", "next_due_at", nullable=False)
    op.alter_column("schedules", "offset_seconds", server_default=None)
    op.alter_column("schedules", "every_seconds", nullable=False)


def _check(name: str, condition: str) -> None:
    op.drop_constraint(op.f(f"ck_schedules_{name}"), "schedules", type_="check")
    op.create_check_constraint(op.f(f"ck_schedules_{name}"), "schedules", condition)


def _create_tables() -> None:
    op.create_table(
        "schedule_versions",
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("from_at", INSTANT, nullable=False),
        sa.Column(
            "definition",
            postgresql.JSONB(),
            nullable=True,
            comment="Governs the slots from from_at until the next version's; NULL: deleted",
        ),
        sa.Column("changed_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("schedule_id", "version", name=op.f("pk_schedule_versions")),
        comment="Which definition governed when, so that the ledger can be audited (written by the scheduler)",
    )
    op.create_table(
        "schedule_requests",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Text(), nullable=False),
        sa.Column("control", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("if_version", sa.BigInteger(), nullable=True, comment="Applies to this version only"),
        sa.Column("requested_at", INSTANT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_schedule_requests")),
        comment="What operators want of schedules (written by the api)",
    )
    op.create_index(op.f("ix_schedule_requests_requested_at"), "schedule_requests", ["requested_at"], unique=False)
    op.create_table(
        "schedule_answers",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False, comment="As in HTTP"),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("errors", postgresql.JSONB(), nullable=True, comment="What is wrong with the request, by field"),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.Column("answered_at", INSTANT, server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_schedule_answers")),
        comment="What became of each request, written with its effect (written by the scheduler)",
    )
    op.create_index(op.f("ix_schedule_answers_answered_at"), "schedule_answers", ["answered_at"], unique=False)
