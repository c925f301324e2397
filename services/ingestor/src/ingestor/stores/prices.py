"""Writing prices: each source on its own, only forwards, and only what changed."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from ingestor.domain.orders import Best, cents
from ingestor.esi.market import Averages, Orders
from ingestor.stores.valuing import affected

AVERAGE, ORDERS = "average", "orders"

SOURCES = """
/* prices.sources */
SELECT source, generation, due_at, due_at <= now() AS due FROM price_sources
"""

ADVANCE = """
/* prices.advance: one reading of a source is merged at a time, and none of an older generation */
INSERT INTO price_sources AS s (source, generation, due_at, merged_at) VALUES ($1, $2, now() + $3, now())
ON CONFLICT (source) DO UPDATE
   SET generation = excluded.generation, due_at = excluded.due_at, merged_at = excluded.merged_at
 WHERE s.generation <= excluded.generation
RETURNING source
"""

CHANGE_AVERAGES = """
/* prices.change_averages: a type or an amount that is absent blanks nothing */
WITH read AS (SELECT * FROM unnest($2::bigint[], $3::numeric[], $4::numeric[]) AS r (type_id, average, adjusted))
UPDATE prices p
   SET average = coalesce(r.average, p.average), adjusted = coalesce(r.adjusted, p.adjusted), average_at = $1
  FROM read r
 WHERE p.type_id = r.type_id
   AND (p.average, p.adjusted) IS DISTINCT FROM (coalesce(r.average, p.average), coalesce(r.adjusted, p.adjusted))
"""
ADD_AVERAGES = """
/* prices.add_averages */
INSERT INTO prices (type_id, average, adjusted, average_at)
SELECT type_id, average, adjusted, $1
  FROM unnest($2::bigint[], $3::numeric[], $4::numeric[]) AS r (type_id, average, adjusted)
 WHERE NOT EXISTS (SELECT FROM prices p WHERE p.type_id = r.type_id)
"""

CHANGE_ORDERS = """
/* prices.change_orders */
WITH read AS (SELECT * FROM unnest($2::bigint[], $3::numeric[], $4::numeric[]) AS r (type_id, buy, sell))
UPDATE prices p SET buy = r.buy, sell = r.sell, orders_at = $1
  FROM read r
 WHERE p.type_id = r.type_id AND (p.buy, p.sell) IS DISTINCT FROM (r.buy, r.sell)
"""
ADD_ORDERS = """
/* prices.add_orders */
INSERT INTO prices (type_id, buy, sell, orders_at)
SELECT type_id, buy, sell, $1 FROM unnest($2::bigint[], $3::numeric[], $4::numeric[]) AS r (type_id, buy, sell)
 WHERE NOT EXISTS (SELECT FROM prices p WHERE p.type_id = r.type_id)
"""
BLANK_ORDERS = """
/* prices.blank_orders: only ever run for all orders of one generation */
UPDATE prices p SET buy = NULL, sell = NULL, orders_at = $1
 WHERE (p.buy IS NOT NULL OR p.sell IS NOT NULL) AND p.type_id <> ALL ($2::bigint[])
"""


async def sources(connection: AsyncConnection) -> dict[str, Any]:
    """What is merged of each source that was ever read: its generation, and when it is to be read again."""
    raw = await asyncpg_connection(connection)
    return {row["source"]: row for row in await raw.fetch(SOURCES)}


async def merge_averages(connection: AsyncConnection, read: Averages) -> dict[str, int] | None:
    """Make the averages ours; returns the run's counts, or None if newer ones are."""
    raw = await asyncpg_connection(connection)
    if not await raw.fetchval(ADVANCE, AVERAGE, read.generation, read.fresh_for):
        return None
    rows = {row.type_id: (cents(row.average_price), cents(row.adjusted_price)) for row in read.rows}
    arguments = (read.generation, list(rows), [row[0] for row in rows.values()], [row[1] for row in rows.values()])
    changed = affected(await raw.execute(CHANGE_AVERAGES, *arguments))
    listed = affected(await raw.execute(ADD_AVERAGES, *arguments))
    return _counts(len(rows), listed, changed, read.rejected)


async def merge_orders(connection: AsyncConnection, read: Orders, *, again_in: timedelta) -> dict[str, int] | None:
    """Make the best orders ours; returns the run's counts, or None if newer ones are.

    A type that has none any more loses its prices, if every order could be read. It counts as changed.
    """
    raw = await asyncpg_connection(connection)
    if not await raw.fetchval(ADVANCE, ORDERS, read.generation, again_in):
        return None
    arguments = _columns(read.generation, read.best)
    changed = affected(await raw.execute(CHANGE_ORDERS, *arguments))
    listed = affected(await raw.execute(ADD_ORDERS, *arguments))
    blanked = 0 if read.rejected else affected(await raw.execute(BLANK_ORDERS, read.generation, list(read.best)))
    return _counts(len(read.best) + blanked, listed, changed + blanked, read.rejected)


def _columns(generation: datetime, best: Mapping[int, Best]) -> tuple[object, ...]:
    return generation, list(best), [row.buy for row in best.values()], [row.sell for row in best.values()]


def _counts(rows: int, listed: int, changed: int, rejected: int) -> dict[str, int]:
    return {
        "fetched": rows + rejected,
        "listed": listed,
        "changed": changed,
        "unchanged": rows - listed - changed,
        "rejected": rejected,
    }
