"""What each sweep of a region proved, and how far the regions are known (written by the ingestor)."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Uuid

from common.tables.base import instant, metadata

sweeps = Table(
    "sweeps",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("region_id", BigInteger, nullable=False),
    instant("generation"),
    instant("fresh_until"),
    instant("swept_at", default_now=True),
    Column("complete", Boolean, nullable=False),
    Column("pages", Integer, nullable=False),
    *(
        Column(n, Integer, nullable=False)
        for n in ("fetched", "listed", "changed", "unchanged", "rejected", "delisted")
    ),
    Index(None, "region_id", "generation"),
    comment="What each reading of a region's list proved",
)

coverage = Table(
    "coverage",
    metadata,
    Column("region_id", BigInteger, primary_key=True, autoincrement=False),
    instant("generation"),
    instant("fresh_until"),
    instant("swept_at"),
    instant("complete_generation", nullable=True),
    comment="The newest generation of each region's list that was merged, and the newest that was complete",
)
