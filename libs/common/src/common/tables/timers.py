"""When work that was put off falls due (set by the ingestor, taken out by the scheduler)."""

from sqlalchemy import BigInteger, Column, Identity, Index, Table, Text

from common.tables.base import instant, metadata

timers = Table(
    "timers",
    metadata,
    Column("timer_id", BigInteger, Identity(always=True), primary_key=True),
    Column("dataset", Text, nullable=False),
    instant("due_at"),
    Index(None, "due_at"),
    comment="When work of a dataset that was put off falls due; which work it is, its own rows say",
)
