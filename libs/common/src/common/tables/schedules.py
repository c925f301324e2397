"""Schedules and the ledger of their slots (written by the scheduler)."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import text

from common.tables.base import instant, metadata

FATES = ("fired", "skipped_overlap", "skipped_paused", "skipped_catchup", "backfilled")

schedules = Table(
    "schedules",
    metadata,
    Column("schedule_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column(
        "every_seconds",
        Integer,
        nullable=False,
        comment="interval: between slots; upstream: to the next slot while no run has told a better one",
    ),
    Column("offset_seconds", Integer, nullable=False, comment="Slots are at multiples of every_seconds plus this"),
    Column("min_seconds", Integer, comment="upstream: what lies between two slots at the least"),
    Column("max_seconds", Integer, comment="upstream: likewise, at the most"),
    Column(
        "fresh_until",
        DateTime(timezone=True),
        comment="upstream: the latest instant that a run told; before it upstream has nothing newer",
    ),
    Column("action", Text, nullable=False),
    Column("dataset", Text),
    Column("scope", JSONB, nullable=False),
    Column("overlap", Text, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("note", Text),
    instant("created_at", default_now=True),
    instant("next_due_at"),
    CheckConstraint("kind IN ('interval', 'upstream')", name="kind"),
    CheckConstraint(
        "kind <> 'upstream' OR (min_seconds >= 1 AND max_seconds >= min_seconds) IS TRUE", name="upstream_bounds"
    ),
    CheckConstraint("overlap IN ('skip', 'allow_all')", name="overlap"),
    CheckConstraint("action IN ('ingest', 'reconcile')", name="action"),
    CheckConstraint("every_seconds >= 1", name="every_seconds"),
    Index(None, "next_due_at", postgresql_where=text("NOT paused")),
    comment="What is to happen, and when next",
)

schedule_slots = Table(
    "schedule_slots",
    metadata,
    Column("schedule_id", Text, nullable=False),
    instant("slot_at"),
    Column("fate", Text, nullable=False),
    instant("decided_at"),
    Column("lateness_ms", Integer, nullable=False),
    Column("run_id", Uuid, comment="The run it caused; see runs for how that ended"),
    PrimaryKeyConstraint("schedule_id", "slot_at"),
    CheckConstraint("fate IN ('" + "', '".join(FATES) + "')", name="fate"),
    Index(None, "run_id", postgresql_where=text("run_id IS NOT NULL")),
    Index("ix_schedule_slots_recent", "decided_at", postgresql_where=text("run_id IS NOT NULL")),
    comment="Every slot of every schedule exactly once, with its fate",
)
