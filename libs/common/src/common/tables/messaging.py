"""What the services' messaging keeps. Each row belongs to the service named in it."""

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from common.tables.base import instant, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("service", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("event_id", Uuid, nullable=False),
    Column("event_type", Text, nullable=False),
    instant("event_time"),
    Column("traceparent", Text),
    Column("request_id", Text),
    Column("payload", LargeBinary, nullable=False),
    Index(None, "service", "id"),
    comment="Messages that are accepted and not yet on the wire; the relay of `service` deletes what the broker has",
)

inbox = Table(
    "inbox",
    metadata,
    Column("consumer", Text, nullable=False),
    Column("event_id", Uuid, nullable=False),
    instant("handled_at", default_now=True),
    PrimaryKeyConstraint("consumer", "event_id"),
    Index(None, "handled_at"),
    comment="Deliveries whose effect is committed: a repeat changes nothing",
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("dead_letter_id", Uuid, primary_key=True),
    Column("consumer", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("header_names", ARRAY(LargeBinary), nullable=False),
    Column("header_values", ARRAY(LargeBinary), nullable=False),
    Column("reason", Text, nullable=False),
    instant("dead_at", default_now=True),
    UniqueConstraint("consumer", "topic", "partition", "offset", "timestamp_ms"),
    comment="Messages that could not be handled, byte for byte, with the reason",
)

broker_epochs = Table(
    "broker_epochs",
    metadata,
    instant("started_at", default_now=True),
    Column("topics", ARRAY(Text), nullable=False),
    PrimaryKeyConstraint("started_at"),
    comment="Moments at which topics had to be created: whatever was on the wire before is gone",
)

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("service", Text, nullable=False),
    Column("instance", Text, nullable=False),
    instant("started_at"),
    instant("beat_at"),
    Column("progress", JSONB, nullable=False),
    PrimaryKeyConstraint("service", "instance"),
    comment="What each process last said of its own progress",
)
