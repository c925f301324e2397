"""How much is listed, counted as contracts are written (by a trigger, so by the ingestor)."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text
from sqlalchemy.sql import text

from common.tables.base import instant, metadata

listed_counts = Table(
    "listed_counts",
    metadata,
    Column(
        "kind",
        Text,
        nullable=False,
        comment=(
            "type, group, category, region, system or station;"
            " or contract and a type of contract, of which the id is a region's;"
            " or price and a type of contract, of which the id is price_bucket()'s"
        ),
    ),
    Column("id", BigInteger, nullable=False, autoincrement=False),
    Column("contracts", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "id"),
    # What is read of all types of contract, whichever there are.
    Index("ix_listed_counts_contracts", "id", postgresql_where=text("kind LIKE 'contract %'")),
    Index("ix_listed_counts_prices", "id", postgresql_where=text("kind LIKE 'price %'")),
    comment=(
        "How many listed contracts offer something, or start somewhere, but for listed_count_changes,"
        " of those that expire after listed_count_horizon"
    ),
)

listed_count_changes = Table(
    "listed_count_changes",
    metadata,
    Column("kind", Text, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("change", Integer, nullable=False),
    comment="What is still to be added to listed_counts; written by a trigger of contracts, so that nobody waits",
)

listed_count_horizon = Table(
    "listed_count_horizon",
    metadata,
    instant("expires_after"),
    comment="One row, or none yet: in listed_counts are listed contracts that expire after this",
)
