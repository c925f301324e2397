"""The market: contracts, their items, and what each sweep of a region proved (written by the ingestor)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.sql import text

from common.tables.base import Isk, instant, metadata

contracts = Table(
    "contracts",
    metadata,
    Column("contract_id", BigInteger, primary_key=True, autoincrement=False),
    Column("region_id", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("issuer_id", BigInteger, nullable=False),
    Column("issuer_corporation_id", BigInteger, nullable=False),
    Column("for_corporation", Boolean, nullable=False),
    instant("date_issued"),
    instant("date_expired"),
    Column("start_location_id", BigInteger),
    Column("end_location_id", BigInteger),
    Column("price", Isk),
    Column("buyout", Isk),
    Column("reward", Isk),
    Column("collateral", Isk),
    Column("volume", Double, comment="m³"),
    Column("days_to_complete", Integer),
    Column("title", Text),
    # Its life in the list.
    instant("listed_at", default_now=True),
    instant("delisted_at", nullable=True),
    Column("outcome", Text),
    # The reading of its items: none (couriers have none to read) | wanted | stored | failed.
    Column("items_state", Text, nullable=False),
    Column("items_run_id", Uuid),
    Column("items_attempts", SmallInteger, nullable=False, server_default=text("0")),
    instant("items_sent_at", nullable=True),
    instant("items_due_at", nullable=True),
    Column("items_error", Text),
    Column("enrichment_version", SmallInteger),
    # What a list shows of it, derived when its items are read.
    Column("label", Text),
    Column("composition", Text),
    Column("contains_ship", Boolean),
    Column("items_offered", Integer),
    Column("items_requested", Integer),
    Column("is_blueprint_copy", Boolean),
    Column("material_efficiency", SmallInteger),
    Column("time_efficiency", SmallInteger),
    Column("runs", Integer),
    CheckConstraint("items_state IN ('none', 'wanted', 'stored', 'failed')", name="items_state"),
    Index("ix_contracts_live", "date_issued", "contract_id", postgresql_where=text("delisted_at IS NULL")),
    Index(
        "ix_contracts_live_region",
        "region_id",
        "date_issued",
        "contract_id",
        postgresql_where=text("delisted_at IS NULL"),
    ),
    Index("ix_contracts_items_due", "items_due_at", postgresql_where=text("items_state = 'wanted'")),
    Index(None, "items_run_id", postgresql_where=text("items_state = 'wanted'")),
    comment="Every public contract seen; live means delisted_at IS NULL AND date_expired > now()",
)

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
    comment="Items of a contract: read once, for they never change",
)

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
