"""Schedules and the ledger of their slots (written by the scheduler), and what is asked of them (by the api)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
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
        comment="interval: between slots; upstream: to the next slot while no run has told a better one",
    ),
    Column(
        "offset_seconds",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="Slots are at multiples of every_seconds plus this",
    ),
    Column("min_seconds", Integer, comment="upstream: what lies between two slots at the least"),
    Column("max_seconds", Integer, comment="upstream: likewise, at the most"),
    Column(
        "fresh_until",
        DateTime(timezone=True),
        comment="upstream: the latest instant that a run told; before it upstream has nothing newer",
    ),
    Column("cron", Text, comment="cron: five fields, or six with seconds first"),
    Column("zone", Text, comment="cron: whose clocks it goes by"),
    instant("at", nullable=True),
    instant("start_at", nullable=True),
    instant("end_at", nullable=True),
    Column("action", Text, nullable=False),
    Column("dataset", Text),
    Column("scope", JSONB, nullable=False),
    Column("emits", JSONB(none_as_null=True), comment="emit: type and data of an event of the catalogue"),
    Column("overlap", Text, nullable=False),
    Column("catchup", Text, nullable=False, server_default=text("'latest'")),
    Column("catchup_seconds", Integer, comment="What is later than this is not made up for"),
    Column("jitter_seconds", Integer, nullable=False, server_default=text("0")),
    Column("pause_after_failures", Integer),
    Column("paused", Boolean, nullable=False, server_default=text("false")),
    Column("note", Text),
    Column("version", BigInteger, nullable=False, server_default=text("1"), comment="Counts what operators changed"),
    instant("created_at", default_now=True),
    instant("updated_at", default_now=True),
    instant("next_due_at", nullable=True),
    Column("next_slot_at", DateTime(timezone=True), comment="Where jitter makes it differ from next_due_at"),
    Column("skip_next", Boolean, nullable=False, server_default=text("false")),
    instant("buffered_slot_at", nullable=True),
    instant("last_decided_at", nullable=True),
    instant("last_fired_at", nullable=True),
    Column("last_run_id", Uuid),
    CheckConstraint("kind IN ('interval', 'cron', 'once', 'upstream')", name="kind"),
    CheckConstraint(
        "kind <> 'upstream' OR (min_seconds >= 1 AND max_seconds >= min_seconds) IS TRUE", name="upstream_bounds"
    ),
    CheckConstraint("overlap IN ('skip', 'buffer_one', 'allow_all')", name="overlap"),
    CheckConstraint("catchup IN ('none', 'latest', 'all')", name="catchup"),
    CheckConstraint("action IN ('ingest', 'reconcile', 'emit')", name="action"),
    CheckConstraint("(action = 'emit') = (emits IS NOT NULL)", name="emits"),
    CheckConstraint("every_seconds >= 1", name="every_seconds"),
    Index(None, "next_due_at", postgresql_where=text("next_due_at IS NOT NULL")),
    Index("ix_schedules_buffered", "schedule_id", postgresql_where=text("buffered_slot_at IS NOT NULL")),
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
    Column("request_id", Uuid, comment="The request that caused it; none of the schedule's own slots has one at first"),
    Column("event_id", Uuid, comment="The id of what it emitted"),
    PrimaryKeyConstraint("schedule_id", "slot_at"),
    CheckConstraint("fate IN ('" + "', '".join(FATES) + "')", name="fate"),
    Index(None, "run_id", postgresql_where=text("run_id IS NOT NULL")),
    Index("ix_schedule_slots_recent", "decided_at", postgresql_where=text("run_id IS NOT NULL")),
    comment="Every slot of every schedule exactly once, with its fate; old ones are in schedule_ranges",
)

schedule_ranges = Table(
    "schedule_ranges",
    metadata,
    Column("schedule_id", Text, nullable=False),
    instant("from_slot"),
    instant("to_slot"),
    Column("slots", Integer, nullable=False),
    Column("runs", Integer, nullable=False, comment="That the slots caused; all succeeded"),
    Column("proof", LargeBinary, nullable=False, comment="A digest of all the slots: see common.slots.folding"),
    Column("decided_at", DateTime(timezone=True), nullable=False, comment="When the last of them was"),
    Column("worst_lateness_ms", Integer, nullable=False),
    Column("total_lateness_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("schedule_id", "from_slot"),
    comment="Old slots without a gap between them that fired and went well, in place of their lines",
)

schedule_versions = Table(
    "schedule_versions",
    metadata,
    Column("schedule_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    instant("from_at"),
    Column(
        "definition",
        JSONB(none_as_null=True),
        comment="Governs the slots from from_at until the next version's; NULL: deleted",
    ),
    instant("changed_at", default_now=True),
    Column("request_id", Uuid),
    PrimaryKeyConstraint("schedule_id", "version"),
    comment="Which definition governed when, so that the ledger can be audited (written by the scheduler)",
)

schedule_requests = Table(
    "schedule_requests",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("schedule_id", Text, nullable=False),
    Column("control", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("if_version", BigInteger, comment="Applies to this version only"),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{}'"), comment="What the asker's key may do"),
    instant("requested_at", default_now=True),
    Index(None, "requested_at"),
    comment="What operators want of schedules (written by the api)",
)

schedule_answers = Table(
    "schedule_answers",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("status", SmallInteger, nullable=False, comment="As in HTTP"),
    Column("detail", Text),
    Column("errors", JSONB(none_as_null=True), comment="What is wrong with the request, by field"),
    Column("result", JSONB(none_as_null=True)),
    instant("answered_at", default_now=True),
    Index(None, "answered_at"),
    comment="What became of each request, written with its effect (written by the scheduler)",
)
