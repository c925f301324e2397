"""One small market becomes a large one: its contracts again and again, with other dates, prices, places and names.

What the ingestor derived from a contract's items stands in each copy, for its items are copied with it, and what it
derived from a place moves with the place. The distributions stay what they were; ids ascend with the date of issue, as
ESI's do.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from bench.read.seed import FORGE
from bench.read.wording import find_by_words
from common.database import create_engine
from ingestor.stores.sql import ITEM_COLUMNS
from support.databases import settings_for

MARGIN: Final = "12 hours"
"""No live contract expires sooner, so that a market that is kept for a while has as many as when it was made."""
OVERDUE: Final = 0.002
"""Of all: expired, and still in the list as it was read last."""
HISTORY: Final = "60 days"
FIRST_ID: Final = 200_000_000
HOARD: Final = 500
"""Offered items above which a contract is one of the few with very many; the seed has too many of them."""
CONTRACTS_PER_HOARD: Final = 100_000
RECORDS: Final = 10**12
ITEMS: Final = 10**13
"""What is added to the ids of records and items from one copy to the next, for they are unique."""
FROM_COPIED: Final = ("contracts", "contract_items", "bids", "dynamic_items", "dynamic_item_attributes")
LIMIT_OF_TITLES: Final = 50

PREPARE: Final = (
    "SET work_mem = '256MB'",
    "SET maintenance_work_mem = '512MB'",
    "CREATE SCHEMA seed",
    *(f"CREATE TABLE seed.{table} AS TABLE public.{table}" for table in FROM_COPIED),
    f"TRUNCATE {', '.join(FROM_COPIED)}, contract_words, outbox, inbox",
    """
    CREATE FUNCTION seed.asked(worth numeric) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN
      CASE WHEN worth > 0 THEN greatest(round(worth, 2 - floor(log(worth))::int), 0.01) ELSE worth END
    """,  # people ask round numbers: three significant figures
    """
    CREATE FUNCTION seed.luck(thing bigint, which bigint) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN
      (hashint8extended(thing, which) & 16777215) / 16777216.0::float8
    """,  # of a thing's own, whatever the order of rows; PostgreSQL may take two random() for one
)

PLACES: Final = """
CREATE UNLOGGED TABLE seed.places AS
SELECT contract_id, region_id, type = 'courier' AS carried,
       row_number() OVER (PARTITION BY region_id, type = 'courier' ORDER BY hashint8(contract_id)) - 1 AS turn,
       count(*) OVER (PARTITION BY region_id, type = 'courier') AS among
  FROM seed.contracts
"""

ISSUER = "c.issuer_id + m.copy"
CORPORATION = "CASE WHEN c.issuer_corporation_id < 2000000 THEN c.issuer_corporation_id ELSE {corporation} END".format(
    corporation="c.issuer_corporation_id + m.copy % 4"
)
OTHERWISE: Final = {
    "contract_id": "m.contract_id",
    "date_issued": "m.date_issued",
    "date_expired": "m.date_expired",
    "listed_at": "least(greatest(m.listed_at, m.date_issued), m.delisted_at)",
    "delisted_at": "m.delisted_at",
    "outcome": "m.outcome",
    "outcome_due_at": "NULL::timestamptz",
    "outcome_attempts": "CASE WHEN m.delisted_at IS NULL THEN 0 ELSE 1 END",
    "bids_due_at": "CASE WHEN m.delisted_at IS NULL AND c.type = 'auction' THEN now() + interval '5 minutes' END",
    "issuer_id": ISSUER,
    "issuer_corporation_id": CORPORATION,
    **{name: f"seed.asked(c.{name} * m.factor)" for name in ("price", "buyout", "reward", "collateral")},
    "highest_bid": "round(c.highest_bid * m.factor, 2)",
    "volume": "CASE WHEN c.type = 'courier' THEN round((c.volume * m.factor)::numeric, 2)::float8 ELSE c.volume END",
    "title": f"""
      CASE WHEN c.title = '' THEN ''
           WHEN m.contract_id % 3 = 0 THEN c.title
           ELSE left((ARRAY['cheap', 'bulk', 'fast', 'Jita -5%', 'moving out', 'fitted', 'quick sale', 'NEW'])
                       [1 + abs(hashint8(m.contract_id)) % 8] || ' ' || c.title, {LIMIT_OF_TITLES}) END
    """,
    **{
        name: f"p.{name}"
        for name in (
            "start_location_id",
            "end_location_id",
            "system_id",
            "security",
            "end_system_id",
            "jumps",
            "jumps_high_security",
        )
    },
}
"""Columns of a copy that are not the original's; `m` is the copy, `c` the original, `p` the contract at whose place."""

FROM_ORIGINALS: Final = """
  FROM seed.copies m JOIN seed.contracts c ON c.contract_id = m.seed_id
       JOIN seed.places o ON o.contract_id = c.contract_id
       JOIN seed.places d ON d.region_id = o.region_id AND d.carried = o.carried
                         AND d.turn = (o.turn + m.copy * 31) % o.among
       JOIN seed.contracts p ON p.contract_id = d.contract_id
 ORDER BY m.contract_id
"""

COPY_ITEMS: Final = f"""
INSERT INTO contract_items ({", ".join(ITEM_COLUMNS)})
SELECT m.contract_id, i.record_id + m.copy * {RECORDS}, i.type_id, i.quantity, i.is_included,
       i.item_id + m.copy * {ITEMS}, {", ".join(f"i.{name}" for name in ITEM_COLUMNS[6:])}
  FROM seed.copies m JOIN seed.contract_items i ON i.contract_id = m.seed_id
 ORDER BY m.contract_id, i.record_id
"""  # noqa: S608 - our own names

COPY_BIDS: Final = """
INSERT INTO bids (contract_id, bid_id, amount, date_bid)
SELECT m.contract_id, b.bid_id, round(b.amount * m.factor, 2), b.date_bid + m.moved
  FROM seed.copies m JOIN seed.bids b ON b.contract_id = m.seed_id
"""

COPY_ROLLED: Final = f"""
INSERT INTO dynamic_items (item_id, type_id, state, attempts, source_type_id, mutator_type_id, created_by, contract_ids)
SELECT d.item_id + m.copy * {ITEMS}, d.type_id, d.state, d.attempts, d.source_type_id, d.mutator_type_id,
       d.created_by, ARRAY[m.contract_id]
  FROM seed.copies m JOIN seed.contract_items i ON i.contract_id = m.seed_id AND i.is_included
       JOIN seed.dynamic_items d ON d.item_id = i.item_id
"""  # noqa: S608 - our own numbers

COPY_ROLLS: Final = f"""
INSERT INTO dynamic_item_attributes (item_id, attribute_id, value)
SELECT d.item_id, a.attribute_id, a.value * (0.9 + 0.2 * seed.luck(d.item_id, a.attribute_id))
  FROM dynamic_items d JOIN seed.dynamic_item_attributes a ON a.item_id = d.item_id % {ITEMS}
"""  # noqa: S608 - our own numbers

COPY_CHANGES: Final = """
INSERT INTO contract_changes (contract_id, changed_at, change, details)
SELECT c.contract_id, c.delisted_at + after, change,
       jsonb_build_object('contract_id', c.contract_id, 'region_id', c.region_id) || details
  FROM contracts c, LATERAL (VALUES
         ('delisted', interval '0', jsonb_build_object(
            'outcome', CASE c.outcome WHEN 'expired' THEN 'expired' ELSE 'unknown' END, 'generation', c.delisted_at)),
         ('outcome', interval '1 minute', jsonb_build_object(
            'outcome', c.outcome, 'relisted', false, 'price', c.price, 'buyout', c.buyout, 'title', c.title,
            'date_expired', c.date_expired))
       ) AS told (change, after, details)
 WHERE c.delisted_at IS NOT NULL AND (change = 'delisted' OR c.outcome IN ('accepted', 'withdrawn'))
 ORDER BY c.contract_id
"""

NAME_THEM: Final = f"""
WITH words AS (
  SELECT array_agg(DISTINCT split_part(name, ' ', 1)) AS list FROM names WHERE name IS NOT NULL
), issuers AS (
  SELECT DISTINCT ON (id) id, seed_id FROM (
    SELECT {ISSUER} AS id, c.issuer_id AS seed_id FROM seed.copies m JOIN seed.contracts c ON c.contract_id = m.seed_id
     UNION
    SELECT {CORPORATION}, c.issuer_corporation_id FROM seed.copies m JOIN seed.contracts c ON c.contract_id = m.seed_id
  ) AS all_of_them
)
INSERT INTO names (entity_id, name, category)
SELECT i.id, list[1 + abs(hashint8(i.id)) % cardinality(list)] || ' ' || split_part(n.name, ' ', 2), n.category
  FROM issuers i JOIN names n ON n.entity_id = i.seed_id, words
ON CONFLICT DO NOTHING
"""  # noqa: S608 - our own names

COLUMNS: Final = """
SELECT column_name FROM information_schema.columns
 WHERE table_schema = 'public' AND table_name = 'contracts' AND is_generated = 'NEVER' ORDER BY ordinal_position
"""
INDEXES: Final = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
  FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
 WHERE t.relname = ANY($1) AND t.relnamespace = 'public'::regnamespace AND NOT i.indisunique
"""
COUNTS: Final = """
SELECT count(*) AS contracts, count(*) FILTER (WHERE delisted_at IS NULL AND date_expired > now()) AS live,
       (SELECT count(*) FROM contract_items) AS items FROM contracts
"""


@dataclass(frozen=True)
class Size:
    """How large a market is: contracts that stand in lists, and all that are stored, the gone ones included."""

    name: str
    live: int
    stored: int
    seed: int
    """Contracts to read from upstream before they are multiplied, about."""


def drawing(size: Size, times: int) -> str:
    """Which contracts there are to be: each of the originals up to so many times, and what sets a copy apart."""
    listed = size.live + round(size.stored * OVERDUE)
    return f"""
CREATE UNLOGGED TABLE seed.copies AS
WITH drawn AS (
  SELECT c.contract_id AS seed_id, copy, c.type, c.date_issued AS seed_issued,
         c.date_expired - c.date_issued AS lasts, c.contract_id * 1000 + copy AS thing
    FROM seed.contracts c, generate_series(1, {times}) AS copy
   WHERE (c.items_offered > {HOARD}) IS NOT TRUE
      OR (c.region_id = {FORGE} AND copy <= {size.stored} / {CONTRACTS_PER_HOARD})
   ORDER BY (c.items_offered > {HOARD}) IS TRUE DESC, seed.luck(c.contract_id * 1000 + copy, 0) LIMIT {size.stored}
), numbered AS (
  SELECT *, row_number() OVER (ORDER BY hashint8(thing)) AS turn, seed.luck(thing, 1) AS age,
         seed.luck(thing, 2) AS fate, seed.luck(thing, 3) AS delay, seed.luck(thing, 4) AS since,
         exp(0.6 * (seed.luck(thing, 5) + seed.luck(thing, 6) + seed.luck(thing, 7) - 1.5))::numeric AS factor
    FROM drawn
), judged AS (
  SELECT *, turn <= {size.live} AS live, turn > {size.live} AND turn <= {listed} AS overdue, fate < 0.2 AS expired,
         CASE WHEN turn > {listed} THEN now() - interval '{HISTORY}' * since - interval '1 minute' END AS delisted_at
    FROM numbered
), issued AS (
  SELECT *, CASE WHEN live THEN now() - age * greatest(lasts - interval '{MARGIN}', interval '0')
                 WHEN overdue THEN now() - lasts - interval '10 minutes'
                 WHEN expired THEN delisted_at - lasts - interval '1 minute'
                 ELSE delisted_at - age * age * lasts END AS issued_at
    FROM judged
), settled AS (
  SELECT seed_id, copy, type, factor, live, delisted_at, issued_at - seed_issued AS moved,
         date_trunc('second', CASE WHEN type = 'auction' THEN date_trunc('day', issued_at) ELSE issued_at END)
           AS date_issued,
         date_trunc('second', issued_at + lasts) + CASE WHEN live THEN interval '1 second' ELSE interval '0' END
           AS date_expired,
         issued_at + interval '30 minutes' * delay AS listed_at,
         CASE WHEN delisted_at IS NULL THEN NULL WHEN expired THEN 'expired'
              WHEN type NOT IN ('item_exchange', 'auction') OR fate > 0.95 THEN 'unknown'
              WHEN fate > 0.85 THEN 'withdrawn' ELSE 'accepted' END AS outcome
    FROM issued
)
SELECT {FIRST_ID} + row_number() OVER (ORDER BY date_issued, seed_id, copy) AS contract_id, * FROM settled
"""  # noqa: S608 - our own numbers


async def multiply(url: str, size: Size, say: Callable[[str], None]) -> dict[str, int]:
    """Put a market of that size in the place of the one that is stored; how much there is of it then."""
    connection = await asyncpg.connect(url)
    engine = create_engine(settings_for(url), service="bench")
    try:
        await _run(connection, PREPARE)
        indexes = await connection.fetch(INDEXES, [*FROM_COPIED, "contract_words", "names"])
        await _run(connection, (f"DROP INDEX {index['name']}" for index in indexes))
        originals = await connection.fetchval("SELECT count(*) FROM seed.contracts")
        times = -(-size.stored * 5 // (originals * 4))
        await connection.execute(drawing(size, times))
        await _run(connection, (PLACES, "ANALYZE seed.copies", "ANALYZE seed.places", "ANALYZE seed.contracts"))
        say(f"{originals:,} contracts were read, {size.stored:,} are drawn")
        await _run(connection, (await _copy_contracts(connection), COPY_ITEMS, NAME_THEM))
        say("contracts and items are there")
        await _run(connection, (COPY_BIDS, COPY_ROLLED, COPY_ROLLS, COPY_CHANGES))
        await find_by_words(engine)
        say("words are there")
        await _run(connection, ("SET client_min_messages = 'warning'", "DROP SCHEMA seed CASCADE"))
        await _run(connection, (index["definition"] for index in indexes))
        say("indexes are there")
        await _run(
            connection, ("SELECT uncount_expired()", "SELECT fold_listed_counts()", "VACUUM ANALYZE", "CHECKPOINT")
        )
        return dict(await connection.fetchrow(COUNTS))
    finally:
        await engine.dispose()
        await connection.close()


async def _copy_contracts(connection: Any) -> str:
    columns = [row["column_name"] for row in await connection.fetch(COLUMNS)]
    values = (OTHERWISE.get(name, f"c.{name}") for name in columns)
    return f"INSERT INTO contracts ({', '.join(columns)}) SELECT {', '.join(values)} {FROM_ORIGINALS}"


async def _run(connection: Any, statements: Iterable[str]) -> None:
    for statement in statements:
        await connection.execute(statement)
