"""What all contracts are worth, at once: the rules of `domain/valuation.py` as one statement."""

from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from ingestor.domain.summary import ABYSSAL, BLUEPRINT, MUTAPLASMIDS
from ingestor.domain.valuation import LARGEST_VALUE, NOISE

_LOCK = "hashtextextended('freeport prices', 0)"

CHANGE_PRICES = f"/* valuing.change_prices */ SELECT pg_advisory_xact_lock({_LOCK})"
VALUE_BY_THESE = f"/* valuing.value_by_these */ SELECT pg_advisory_xact_lock_shared({_LOCK})"
"""Who stores a contract's value holds prices still until then: prices that were merged in between would find no
contract to revalue, and its value would stay old."""


def _total(price: str) -> str:
    """Not `least`, which would make the largest value of none."""
    total = f"sum(i.quantity * w.{price})"
    return f"CASE WHEN {total} > {LARGEST_VALUE} THEN {LARGEST_VALUE} ELSE {total} END"


REVALUE = f"""
/* valuing.revalue: live contracts whose value has moved. They are locked in the order in which everybody locks them. */
WITH worth AS MATERIALIZED (
  SELECT p.type_id, p.buy, coalesce(p.sell, p.average) AS sell, coalesce(p.average, p.sell) AS average
    FROM prices p LEFT JOIN types t USING (type_id) LEFT JOIN groups g USING (group_id)
   WHERE coalesce(p.sell, p.average) IS NOT NULL
     AND (t.meta_group_id = {ABYSSAL} AND t.group_id <> {MUTAPLASMIDS} AND g.category_id <> {BLUEPRINT}) IS NOT TRUE
), totals AS (
  SELECT c.contract_id,
         {_total("buy")} AS buy,
         {_total("sell")} AS sell,
         {_total("average")} AS average,
         count(i.record_id)::int AS lines, count(w.type_id)::int AS priced
    FROM contracts c
         LEFT JOIN contract_items i ON i.contract_id = c.contract_id AND i.is_included
         LEFT JOIN worth w ON w.type_id = i.type_id AND i.quantity > 0
                          AND i.is_blueprint_copy IS NOT TRUE AND (i.runs >= 0) IS NOT TRUE
   WHERE c.delisted_at IS NULL AND c.date_expired > now() AND c.items_state = 'stored'
   GROUP BY c.contract_id
), moved AS (
  SELECT t.* FROM totals t JOIN contracts c USING (contract_id)
   WHERE (c.value_lines, c.value_lines_priced) IS DISTINCT FROM (t.lines, t.priced)
      OR (c.value_buy IS NULL) <> (t.buy IS NULL) OR abs(t.buy - c.value_buy) > c.value_buy * {NOISE}
      OR (c.value_sell IS NULL) <> (t.sell IS NULL) OR abs(t.sell - c.value_sell) > c.value_sell * {NOISE}
      OR (c.value_average IS NULL) <> (t.average IS NULL)
      OR abs(t.average - c.value_average) > c.value_average * {NOISE}
   ORDER BY contract_id FOR NO KEY UPDATE OF c
)
UPDATE contracts c
   SET value_buy = m.buy, value_sell = m.sell, value_average = m.average,
       value_lines = m.lines, value_lines_priced = m.priced
  FROM moved m WHERE c.contract_id = m.contract_id
"""  # noqa: S608 - our own numbers


async def hold(connection: AsyncConnection) -> None:
    """Keep everybody else from valuing contracts until this transaction, which changes prices, ends."""
    raw = await asyncpg_connection(connection)
    await raw.execute(CHANGE_PRICES)


async def revalue(connection: AsyncConnection) -> int:
    """Value the live contracts by the prices that are stored, and return how many it wrote.

    It looks at all of them, not only at those that hold what has changed: in a quarter of an hour that is nearly all,
    and so a value that was missed for whatever reason is not missed for long.
    """
    raw = await asyncpg_connection(connection)
    return affected(await raw.execute(REVALUE))


def affected(status: str) -> int:
    """The row count in PostgreSQL's command tag, as in `INSERT 0 5`."""
    return int(status.rsplit(" ", 1)[1])
