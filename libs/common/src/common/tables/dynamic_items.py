"""What mutaplasmids made of items (written by the ingestor)."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import text

from common.tables.base import instant, metadata

dynamic_items = Table(
    "dynamic_items",
    metadata,
    Column("item_id", BigInteger, primary_key=True, autoincrement=False),
    Column("type_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'wanted'")),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    instant("due_at", nullable=True),
    Column("error", Text),
    Column("source_type_id", BigInteger, comment="The type it was before it was mutated"),
    Column("mutator_type_id", BigInteger, comment="The mutaplasmid"),
    Column("created_by", BigInteger),
    Column(
        "contract_ids",
        ARRAY(BigInteger),
        nullable=False,
        server_default=text("'{}'"),
        comment="That have ever offered it; those that are no longer stored included",
    ),
    CheckConstraint("state IN ('wanted', 'stored', 'failed')", name="state"),
    Index(None, "due_at", postgresql_where=text("state = 'wanted'")),
    Index("ix_dynamic_items_unread", "item_id", postgresql_where=text("state <> 'stored'")),
    comment="Abyssal items: read once, for they never change",
)

dynamic_item_attributes = Table(
    "dynamic_item_attributes",
    metadata,
    Column("item_id", BigInteger, nullable=False),
    Column("attribute_id", Integer, nullable=False),
    Column("value", Double, nullable=False),
    PrimaryKeyConstraint("item_id", "attribute_id"),
    Index(None, "attribute_id", "value", postgresql_include=["item_id"]),
    comment="What was rolled",
)
