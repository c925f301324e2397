"""What contracts hold, by what they are found, and what happened to them (written by the ingestor)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.sql import text

from common.tables.base import Isk, instant, metadata

contract_items = Table(
    "contract_items",
    metadata,
    Column("contract_id", BigInteger, nullable=False),
    Column("record_id", BigInteger, nullable=False),
    Column("type_id", BigInteger, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("is_included", Boolean, nullable=False, comment="false: the issuer wants it from the acceptor"),
    Column("item_id", BigInteger),
    Column("is_blueprint_copy", Boolean),
    Column("material_efficiency", SmallInteger),
    Column("time_efficiency", SmallInteger),
    Column("runs", Integer),
    PrimaryKeyConstraint("contract_id", "record_id"),
    Index(None, "type_id", "contract_id", postgresql_where=text("is_included")),
    # Whether a contract offers a copy of such research is seen here, without its items.
    Index(
        "ix_contract_items_copies",
        "contract_id",
        "runs",
        "material_efficiency",
        "time_efficiency",
        postgresql_where=text("is_included AND (is_blueprint_copy IS TRUE OR runs >= 0)"),
    ),
    comment="Items of a contract: read once, for they never change",
)

contract_words = Table(
    "contract_words",
    metadata,
    Column("contract_id", BigInteger, primary_key=True, autoincrement=False),
    Column("words", TSVECTOR, nullable=False, comment="As common/words.py says"),
    # A table of its own: whatever else changes of a contract, its words need not be indexed again for it. The list of
    # what is not yet in the index is read by every search, so it is kept shorter than PostgreSQL would.
    Index("ix_contract_words_words", "words", postgresql_using="gin", postgresql_with={"gin_pending_list_limit": 1024}),
    comment="What a contract is found by",
)

contract_changes = Table(
    "contract_changes",
    metadata,
    Column("contract_id", BigInteger, nullable=False),
    instant("changed_at", default_now=True),
    Column("change", Text, nullable=False),
    Column("details", JSONB, nullable=False, comment="What the event of it says"),
    PrimaryKeyConstraint("contract_id", "changed_at", "change"),
    CheckConstraint("change IN ('changed', 'relisted', 'delisted', 'outcome')", name="change"),
    comment="What happened to a contract after it was first seen, but for its bids",
)

bids = Table(
    "bids",
    metadata,
    Column("contract_id", BigInteger, nullable=False),
    Column("bid_id", BigInteger, nullable=False),
    Column("amount", Isk, nullable=False),
    instant("date_bid"),
    PrimaryKeyConstraint("contract_id", "bid_id"),
    comment="Bids on auctions; who bids is not public",
)
