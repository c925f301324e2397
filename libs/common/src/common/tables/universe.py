"""New Eden's unchanging parts, and names as they are learned (written by the ingestor)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.sql import text

from common.tables.base import instant, metadata


def _id(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


categories = Table(
    "categories",
    metadata,
    _id("category_id"),
    Column("name", Text, nullable=False),
    Column("published", Boolean, nullable=False),
)

groups = Table(
    "groups",
    metadata,
    _id("group_id"),
    Column("category_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("published", Boolean, nullable=False),
)

TYPE_WORDS = """
to_tsvector('simple'::regconfig,
  regexp_replace(regexp_replace(name, '(\\w)[''](\\w)'::text, '\\1\\2'::text, 'g'::text),
                 '[^[:alnum:]]+'::text, ' '::text, 'g'::text))
"""
"""The words of its name in small letters. An apostrophe within a word does not end it, any other sign does."""

types = Table(
    "types",
    metadata,
    _id("type_id"),
    Column("group_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("volume", Double, comment="m³, assembled"),
    Column("packaged_volume", Double, comment="m³"),
    Column("portion_size", Integer),
    Column("market_group_id", BigInteger),
    Column("meta_group_id", SmallInteger),
    Column("words", TSVECTOR, Computed(TYPE_WORDS, persisted=True), comment="Of its name"),
    Index(None, "group_id"),
    Index("ix_types_words", "words", postgresql_using="gin"),
)

regions = Table(
    "regions",
    metadata,
    _id("region_id"),
    Column("name", Text, nullable=False),
)

SECURITY = """
CASE
  WHEN system_id >= 31000000 AND system_id < 32000000 THEN 'wormhole'::text
  WHEN security_status >= 0.45::double precision THEN 'high'::text
  WHEN security_status > 0::double precision THEN 'low'::text
  ELSE 'null'::text
END
"""
"""As the game rounds it: what it shows as 0.5 and above is high, and nothing above zero is shown as 0.0."""

systems = Table(
    "systems",
    metadata,
    _id("system_id"),
    Column("constellation_id", BigInteger, nullable=False),
    Column("region_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("security_status", Double, nullable=False),
    Column("security", Text, Computed(SECURITY, persisted=True), comment="high, low, null or wormhole"),
)

stargates = Table(
    "stargates",
    metadata,
    Column("from_system_id", BigInteger, nullable=False),
    Column("to_system_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("from_system_id", "to_system_id"),
    comment="One jump, in this direction",
)

stations = Table(
    "stations",
    metadata,
    _id("station_id"),
    Column("system_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
)

names = Table(
    "names",
    metadata,
    _id("entity_id"),
    Column("name", Text, comment="NULL until resolved"),
    Column("category", Text),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    instant("due_at", nullable=True),
    Index(None, "due_at", postgresql_where=text("name IS NULL")),
    comment="Characters and corporations; a name once learned is never blanked",
)

words = Table(
    "words",
    metadata,
    Column("word", Text(collation="C"), primary_key=True),
    Column("is_named", Boolean, nullable=False, comment="It is in a name of New Eden, not only in what people write"),
    comment="Every word that contracts are found by",
)

universe_versions = Table(
    "universe_versions",
    metadata,
    Column("version", Text, primary_key=True),
    instant("loaded_at", default_now=True),
    comment="Which packaged copies of the static data were loaded",
)
