"""The market: contracts (written by the ingestor)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Double,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import text

from common.tables.asked import ASKED, TOLD_OF_ASKED
from common.tables.base import Isk, instant, metadata
from common.tables.offered import HUNDREDTHS, IS_OFFERED, ISSUED_ON, MILLIONS, traits
from common.tables.seen import SAMPLED, beside

VALUE_RATIO = """
CASE
  WHEN value_lines_priced = value_lines AND items_requested = 0 AND value_sell > 0::numeric
       AND COALESCE(reward, 0::numeric) = 0::numeric
  THEN CASE type
         WHEN 'item_exchange'::text THEN price
         WHEN 'auction'::text THEN GREATEST(price, highest_bid)
         ELSE NULL::numeric
       END / value_sell
  ELSE NULL::numeric
END
"""
"""What it costs, as a part of what it offers is worth: of an exchange its price, of an auction the highest bid.

PostgreSQL keeps it itself, for each of its parts is written by somebody else. Null where the two cannot be compared:
a line is without price, something is asked for in return or paid on top, or nothing of worth is offered. In the words
in which PostgreSQL gives it back, so that the schema can be compared with the tables.
"""

REWARD_PER_M3 = """
CASE
  WHEN type = 'courier'::text AND volume > 0::double precision THEN reward::double precision / volume
  ELSE NULL::double precision
END
"""
"""ISK for carrying one m³; null of all that is no courier contract. In PostgreSQL's own words, as above."""

DEAL_RATIO = "(price::float8 / least(value_sell, value_average)::float8)"
"""What an exchange costs, as a part of the lesser of its two values."""

DEAL = """
delisted_at IS NULL AND type = 'item_exchange' AND items_requested = 0 AND coalesce(reward, 0) = 0 AND volume > 0
AND value_sell <= 1.5 * value_average AND value_buy >= 0.25 * least(value_sell, value_average)
AND price >= 0.1 * least(value_sell, value_average) AND least(value_sell, value_average) - price >= 1000000
"""
"""Which listed contracts are deals, by rules that `GET /contracts/deals` explains. An index is made of just these, so
that those who fail do not have to be passed over, however many they are."""

MOST = ("most_runs", "most_material_efficiency", "most_time_efficiency")

GROUP_FACET, CATEGORY_FACET = 1_000_000_000, 2_000_000_000
"""What is added to a group's and to a category's id in `contracts.facets`, where types stand as they are."""

LISTED = "delisted_at IS NULL"
"""Of which contracts indexes are kept: those that left the list are many more in the end, and seldom asked for."""

UNSAFE = f"{LISTED} AND security <> 'high'::text"

GONE = "delisted_at IS NOT NULL"
"""The others. They have indexes for the order in which they were issued alone, and a contract gets into those when it
leaves its list, so that the first load of a market does not pay for them."""


def _sorted_where(column: str, condition: str) -> Index:
    """For lists that are sorted by what some contracts have."""
    where = text(f"{LISTED} AND {condition}")
    return Index(f"ix_contracts_live_{column}", column, "contract_id", postgresql_where=where)


def _walked(name: str, condition: str, *more: str) -> Index:
    """For lists in the order of issue of which all are among a few."""
    return Index(
        f"ix_contracts_live_{name}",
        "date_issued",
        "contract_id",
        postgresql_include=[*beside("date_issued"), *more],
        postgresql_where=text(condition),
    )


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
    # Where that is, as far as it is known: players' structures are not.
    Column("system_id", BigInteger, comment="Of its start"),
    Column("security", Text, comment="Of its start: high, low, null or wormhole"),
    Column("end_system_id", BigInteger),
    Column("jumps", SmallInteger, comment="Of a courier contract: by the shortest way; null if an end is unknown"),
    Column(
        "jumps_high_security", SmallInteger, comment="Likewise, through high security only; null if there is no way"
    ),
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
    instant("missing_since", nullable=True),
    Column("outcome", Text),
    instant("outcome_due_at", nullable=True),
    Column("outcome_attempts", SmallInteger, nullable=False, server_default=text("0")),
    # The bids of an auction, read while it is live.
    instant("bids_due_at", nullable=True),
    Column("bids_count", Integer),
    Column("highest_bid", Isk),
    # The reading of its items: none (couriers have none to read) | wanted | stored | failed.
    Column("items_state", Text, nullable=False),
    Column("items_run_id", Uuid),
    Column("items_attempts", SmallInteger, nullable=False, server_default=text("0")),
    instant("items_sent_at", nullable=True),
    instant("items_due_at", nullable=True),
    Column("items_error", Text),
    # Since when it holds what is stored; null where an older release read it.
    instant("items_read_at", nullable=True),
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
    Column("packaged_volume", Double, comment="m³ of what it offers, packaged"),
    Column("facets", ARRAY(Integer), comment="Types, groups and categories that it offers, each once"),
    # Of all it offers, so that who cannot meet a bound is told without a look at its items.
    Column("offers_copy", Boolean, comment="A blueprint's copy; null where an older release read it, and of no copy"),
    Column("offers_rolled", Boolean, comment="Something that a mutaplasmid made; null likewise"),
    Column("most_runs", Integer, comment="The most of any it offers; null if none has any"),
    Column("most_material_efficiency", SmallInteger, comment="Likewise"),
    Column("most_time_efficiency", SmallInteger, comment="Likewise"),
    Column("units", BigInteger, comment="Pieces of the one article it offers; 0: of several; null: its items tell"),
    # What it offers is worth at the market, as far as that is known.
    Column("value_buy", Isk),
    Column("value_sell", Isk),
    Column("value_average", Isk),
    Column("value_lines", Integer, comment="Lines it offers"),
    Column("value_lines_priced", Integer, comment="Those of them that are in the value"),
    Column("value_ratio", Double, Computed(VALUE_RATIO, persisted=True), comment="What it costs, per value_sell"),
    Column("reward_per_m3", Double, Computed(REWARD_PER_M3, persisted=True), comment="ISK"),
    CheckConstraint("security IN ('high', 'low', 'null', 'wormhole')", name="security"),
    CheckConstraint("items_state IN ('none', 'wanted', 'stored', 'failed')", name="items_state"),
    # With what lists are mostly filtered by, so that a walk to what is rare need not read each contract on the way.
    Index(
        "ix_contracts_live",
        "date_issued",
        "contract_id",
        postgresql_include=beside("date_issued"),
        postgresql_where=text(LISTED),
    ),
    Index(
        "ix_contracts_live_region",
        "region_id",
        "date_issued",
        "contract_id",
        postgresql_include=beside("region_id", "date_issued"),
        postgresql_where=text(LISTED),
    ),
    # The same of what is gone.
    Index("ix_contracts_gone", "date_issued", "contract_id", postgresql_where=text(GONE)),
    Index("ix_contracts_gone_region", "region_id", "date_issued", "contract_id", postgresql_where=text(GONE)),
    # What stats and lists count: 46,000 rows in 7 ms instead of 20, for the rows themselves are not looked at.
    Index(
        "ix_contracts_counted",
        "type",
        "region_id",
        "items_state",
        postgresql_include=["date_expired"],
        postgresql_where=text(LISTED),
    ),
    # When the next live contract expires: then every answer about the market is another.
    Index(
        "ix_contracts_expiring",
        "date_expired",
        "contract_id",
        postgresql_include=["type", "region_id"],
        postgresql_where=text(LISTED),
    ),
    # What lists are sorted by, each in two parts: those that have such a value, and, by their ids, those that do not.
    Index("ix_contracts_live_id", "contract_id", postgresql_where=text(LISTED)),
    Index(
        "ix_contracts_live_price",
        "price",
        "contract_id",
        postgresql_include=["type", "date_expired"],
        postgresql_where=text(LISTED),
    ),
    Index("ix_contracts_live_volume", "volume", "contract_id", postgresql_where=text(LISTED)),
    Index(
        "ix_contracts_live_value_ratio",
        "value_ratio",
        "contract_id",
        postgresql_include=beside("value_ratio"),
        postgresql_where=text(f"{LISTED} AND value_ratio IS NOT NULL"),
    ),
    _sorted_where("runs", "runs IS NOT NULL"),
    _sorted_where("reward", "reward > 0::numeric"),
    _sorted_where("collateral", "collateral > 0::numeric"),
    _sorted_where("days_to_complete", "days_to_complete > 0"),
    _sorted_where("reward_per_m3", "reward_per_m3 IS NOT NULL"),
    # What few contracts have in common. Of what many have, the next one is near, in any order.
    Index("ix_contracts_live_issuer_id", "issuer_id", postgresql_where=text(LISTED)),
    Index("ix_contracts_live_issuer_corporation_id", "issuer_corporation_id", postgresql_where=text(LISTED)),
    # With all else that is known of the place, so that what cannot be at one place is seen without a contract.
    Index(
        "ix_contracts_live_place",
        "system_id",
        "start_location_id",
        "type",
        "region_id",
        postgresql_where=text(LISTED),
    ),
    Index(
        "ix_contracts_live_unsafe",
        "security",
        "region_id",
        "system_id",
        "start_location_id",
        postgresql_where=text(UNSAFE),
    ),
    _walked("unsafe_issued", UNSAFE),
    _walked("unusual", f"{LISTED} AND type <> 'item_exchange'::text"),
    _walked("ships", f"{LISTED} AND contains_ship"),
    # What few offer, and people look for by numbers that are known of the item alone.
    _walked("copies", f"{LISTED} AND offers_copy"),
    # By the rules of today it is empty, for copies have no value; who looks for some learns that at once.
    Index(
        "ix_contracts_live_valued_copies",
        "value_ratio",
        "contract_id",
        postgresql_where=text(f"{LISTED} AND offers_copy AND value_ratio IS NOT NULL"),
    ),
    _walked("rolled", f"{LISTED} AND offers_rolled", "offers_rolled"),
    # A thirty-second of them, in no order that means anything: what estimates are made from. With all that lists are
    # filtered by, but for facets, which may be too long: so a sample is read from a few pages.
    Index(
        "ix_contracts_live_sample",
        text("hashint8(contract_id)"),
        postgresql_include=SAMPLED,
        postgresql_where=text(f"{LISTED} AND contract_id % 32::bigint = 0"),
    ),
    # With the day, so that the newest of what offers something can be looked up without all the older ones, and with
    # what leaves few of them.
    Index(
        "ix_contracts_facets",
        "facets",
        text(ISSUED_ON),
        text(MILLIONS.sql()),
        text(HUNDREDTHS.sql()),
        text(traits()),
        postgresql_using="gin",
        postgresql_where=text(IS_OFFERED),
    ),
    # What is and was asked for a type, by contracts of nothing else.
    Index(
        "ix_contracts_asked",
        text("(facets[1])"),
        "delisted_at",
        postgresql_include=TOLD_OF_ASKED,
        postgresql_where=text(ASKED),
    ),
    Index("ix_contracts_deals", text(DEAL_RATIO), "contract_id", postgresql_where=text(DEAL)),
    Index(
        "ix_contracts_couriers",
        "region_id",
        "contract_id",
        postgresql_where=text("type = 'courier' AND delisted_at IS NULL"),
    ),
    Index(
        "ix_contracts_couriers_per_jump",
        text("(reward::float8 / (jumps + (jumps = 0)::int)) DESC NULLS LAST"),
        text("contract_id DESC"),
        postgresql_where=text("type = 'courier' AND delisted_at IS NULL"),
    ),
    Index("ix_contracts_items_due", "items_due_at", postgresql_where=text("items_state = 'wanted'")),
    Index(None, "items_run_id", postgresql_where=text("items_state = 'wanted'")),
    Index(
        "ix_contracts_items_failed",
        "items_due_at",
        postgresql_where=text("items_state = 'failed' AND delisted_at IS NULL"),
    ),
    Index(
        None,
        "enrichment_version",
        postgresql_where=text("items_state = 'stored' AND delisted_at IS NULL"),
    ),
    Index(None, "outcome_due_at", postgresql_where=text("outcome_due_at IS NOT NULL")),
    Index(None, "bids_due_at", postgresql_where=text("bids_due_at IS NOT NULL")),
    Index(
        None,
        "delisted_at",
        postgresql_include=["region_id", "items_state"],
        postgresql_where=text("delisted_at IS NOT NULL"),
    ),
    comment="Every public contract seen; live means delisted_at IS NULL AND date_expired > now()",
)
