"""What is known of the upstream as such (written by the ingestor)."""

from sqlalchemy import Column, Integer, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from common.tables.base import instant, metadata

upstream_responses = Table(
    "upstream_responses",
    metadata,
    Column("key", Text, primary_key=True, comment="Path and query"),
    Column("etag", Text),
    Column("last_modified", Text),
    instant("expires_at"),
    Column("pages", Integer, comment="X-Pages, where it was there"),
    Column("body", LargeBinary, nullable=False, comment="gzip"),
    instant("stored_at", default_now=True),
    comment="Answers that may be asked for again with their validators",
)

upstream_limits = Table(
    "upstream_limits",
    metadata,
    Column("name", Text, primary_key=True, comment="errors, or a token bucket's group"),
    Column("remaining", Integer),
    Column("allowance", Integer),
    Column("window_seconds", Integer, comment="Of a token bucket"),
    Column("routes", ARRAY(Text), comment="Those that a token bucket counts, numbers as *"),
    instant("resets_at", nullable=True),
    instant("paused_until", nullable=True),
    Column("reason", Text),
    instant("observed_at", default_now=True),
    comment="What upstream still grants this address; shared by all replicas",
)
