"""What types are worth, now and on past days (written by the ingestor)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

from common.tables.base import Isk, instant, metadata

prices = Table(
    "prices",
    metadata,
    Column("type_id", BigInteger, primary_key=True, autoincrement=False),
    Column("average", Isk, comment="Over all of New Eden"),
    Column("adjusted", Isk),
    instant("average_at", nullable=True),
    Column("buy", Isk, comment="The best buy order at Jita IV - Moon 4"),
    Column("sell", Isk, comment="The best sell order at Jita IV - Moon 4"),
    instant("orders_at", nullable=True),
    comment="Market prices of types; of each source the generation in which they last changed",
)

price_sources = Table(
    "price_sources",
    metadata,
    Column("source", Text, primary_key=True, comment="average or orders"),
    instant("generation"),
    instant("due_at"),
    instant("merged_at", default_now=True),
    comment="Of each source of prices the newest generation that was merged, and when it is to be read again",
)

price_statistics = Table(
    "price_statistics",
    metadata,
    Column("day", Date, nullable=False),
    Column("region_id", BigInteger, nullable=False),
    Column("type_id", BigInteger, nullable=False),
    Column("is_blueprint_copy", Boolean, nullable=False),
    Column("material_efficiency", SmallInteger),
    Column("time_efficiency", SmallInteger),
    Column("runs", Integer),
    Column("contracts", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("lowest", Isk, nullable=False, comment="ISK for one of it, as are the others"),
    Column("p10", Isk, nullable=False),
    Column("median", Isk, nullable=False),
    Column("p90", Isk, nullable=False),
    Index(
        "uq_price_statistics",
        "type_id",
        "day",
        "region_id",
        "is_blueprint_copy",
        "material_efficiency",
        "time_efficiency",
        "runs",
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    comment="What was asked a day for contracts of a single type that are stored no longer",
)

rolled_up_days = Table(
    "rolled_up_days",
    metadata,
    Column("day", Date, nullable=False),
    Column("region_id", BigInteger, nullable=False),
    Column("contracts", Integer, nullable=False, comment="That were gone since this day when it was rolled up"),
    instant("rolled_up_at", default_now=True),
    PrimaryKeyConstraint("day", "region_id"),
    comment="Days of regions whose price statistics are final: from then on their contracts are removed",
)
