"""Runs: what was accepted (the api's rows) and what became of it (the ingestor's rows)."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Index, Integer, LargeBinary, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import text

from common.tables.base import instant, metadata

RUN_STATES = ("queued", "running", "succeeded", "partial", "failed", "cancelled", "skipped")
TERMINAL_STATES = ("succeeded", "partial", "failed", "cancelled", "skipped")
COUNTS = (
    "fetched",
    "listed",
    "changed",
    "unchanged",
    "rejected",
    "delisted",
    "items_wanted",
    "items_done",
    "items_failed",
    "upstream_requests",
    "upstream_bytes",
)

ingest_requests = Table(
    "ingest_requests",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("scope", JSONB, nullable=False),
    Column("force", Boolean, nullable=False),
    Column("request_id", Text),
    instant("accepted_at", default_now=True),
    Index(None, "accepted_at", "run_id"),
    comment="Commands the api has accepted (written by the api)",
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("run_id", Uuid, nullable=False),
    instant("used_at", default_now=True),
    comment="Idempotency-Key headers and the run each stands for (written by the api)",
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("scope", JSONB, nullable=False),
    Column("force", Boolean, nullable=False, server_default=text("false")),
    Column("source", Text, nullable=False, comment="api, schedule, kafka or ingestor: who asked"),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    instant("accepted_at", default_now=True),
    instant("started_at", nullable=True),
    instant("listed_at", nullable=True),
    instant("finished_at", nullable=True),
    instant("sent_at", default_now=True),
    instant("due_at", nullable=True),
    *(Column(count, BigInteger, nullable=False, server_default=text("0")) for count in COUNTS),
    CheckConstraint("state IN ('" + "', '".join(RUN_STATES) + "')", name="state"),
    CheckConstraint("(finished_at IS NOT NULL) = (state NOT IN ('queued', 'running'))", name="finished"),
    Index(None, "accepted_at", "run_id"),
    Index(None, "dataset", "state"),
    Index(None, "dataset", "scope", "accepted_at"),
    Index("ix_runs_open", "due_at", postgresql_where=text("state IN ('queued', 'running')")),
    comment="What became of each run (written by the ingestor); due_at: when somebody has to look at it again",
)
