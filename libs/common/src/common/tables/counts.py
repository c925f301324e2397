"""How much is listed, counted as contracts are written (by a trigger, so by the ingestor)."""

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Table, Text

from common.tables.base import metadata

listed_counts = Table(
    "listed_counts",
    metadata,
    Column(
        "kind",
        Text,
        nullable=False,
        comment=(
            "type, group, category, region, system or station;"
            " or contract and a type of contract, of which the id is a region's"
        ),
    ),
    Column("id", BigInteger, nullable=False, autoincrement=False),
    Column("contracts", Integer, nullable=False),
    PrimaryKeyConstraint("kind", "id"),
    comment="How many listed contracts offer something, or start somewhere, but for listed_count_changes",
)

listed_count_changes = Table(
    "listed_count_changes",
    metadata,
    Column("kind", Text, nullable=False),
    Column("id", BigInteger, nullable=False),
    Column("change", Integer, nullable=False),
    comment="What is still to be added to listed_counts; written by a trigger of contracts, so that nobody waits",
)
