"""Abyssal items: wanted when a contract offers one, read once, for what was rolled never changes."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.database import asyncpg_connection
from common.events import Dataset
from common.tables import dynamic_items
from ingestor.domain.rolls import pause_after, spent
from ingestor.domain.summary import ABYSSAL, MUTAPLASMIDS
from ingestor.esi.models import DynamicItem
from ingestor.stores import timers

ItemKey = tuple[int, int]
"""item_id and type_id."""
Offered = tuple[int, int, int]
"""item_id, type_id and the contract that offers it."""

BLUEPRINT = 9
IS_DYNAMIC = f"t.meta_group_id = {ABYSSAL} AND g.group_id <> {MUTAPLASMIDS} AND g.category_id <> {BLUEPRINT}"
"""The meta group holds mutaplasmids (eve-ref #1086) and a blueprint of one too, which nobody rolls."""

_OFFERED_AGAIN = """
ON CONFLICT (item_id) DO UPDATE
   SET contract_ids = ARRAY(SELECT unnest(d.contract_ids) UNION SELECT unnest(excluded.contract_ids))
 WHERE NOT d.contract_ids @> excluded.contract_ids
"""
"""One after the other where several offer it at once, so that none is forgotten."""

WANT = f"""
/* dynamic_items.want */
INSERT INTO dynamic_items AS d (item_id, type_id, due_at, contract_ids)
SELECT w.item_id, min(w.type_id), now(), array_agg(DISTINCT w.contract_id)
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (item_id, type_id, contract_id)
  JOIN types t USING (type_id) JOIN groups g USING (group_id)
 WHERE {IS_DYNAMIC}
 GROUP BY w.item_id ORDER BY w.item_id
{_OFFERED_AGAIN}
"""  # noqa: S608 - constants of this module

WANT_HELD = text(f"""
/* dynamic_items.want_held: for when more types are known to be dynamic than before */
INSERT INTO dynamic_items AS d (item_id, type_id, due_at, contract_ids)
SELECT i.item_id, min(i.type_id), now(), array_agg(DISTINCT i.contract_id)
  FROM contract_items i JOIN types t USING (type_id) JOIN groups g USING (group_id)
 WHERE {IS_DYNAMIC} AND i.is_included AND i.item_id IS NOT NULL
 GROUP BY i.item_id ORDER BY i.item_id
{_OFFERED_AGAIN}
""")  # noqa: S608 - constants of this module

TELL_HELD = text(f"""
/* dynamic_items.tell_held: before the items are, and in the order in which everybody locks contracts */
WITH offering AS MATERIALIZED (
  SELECT contract_id FROM contracts
   WHERE offers_rolled IS NOT TRUE AND contract_id IN (
     SELECT i.contract_id FROM contract_items i JOIN types t USING (type_id) JOIN groups g USING (group_id)
      WHERE {IS_DYNAMIC} AND i.is_included AND i.item_id IS NOT NULL)
   ORDER BY contract_id FOR NO KEY UPDATE
)
UPDATE contracts SET offers_rolled = true WHERE contract_id IN (SELECT contract_id FROM offering)
""")  # noqa: S608 - a constant of this module

RENEW = text("""
/* dynamic_items.renew */
UPDATE dynamic_items SET state = 'wanted', attempts = 0, due_at = now() WHERE state = 'failed'
""")

LOCK = """
/* dynamic_items.lock */
SELECT item_id, attempts FROM dynamic_items WHERE item_id = ANY($1::bigint[]) AND state = 'wanted'
 ORDER BY item_id FOR UPDATE
"""

SET = """
/* dynamic_items.set */
UPDATE dynamic_items d
   SET state = 'stored', due_at = NULL, error = NULL, source_type_id = r.source, mutator_type_id = r.mutator,
       created_by = r.creator
  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS r (item_id, source, mutator, creator)
 WHERE d.item_id = r.item_id
"""

SET_ATTRIBUTES = """
/* dynamic_items.set_attributes */
INSERT INTO dynamic_item_attributes (item_id, attribute_id, value)
SELECT * FROM unnest($1::bigint[], $2::int[], $3::float8[])
ON CONFLICT DO NOTHING
"""

POSTPONE = """
/* dynamic_items.postpone */
UPDATE dynamic_items d SET state = p.state, attempts = p.attempts, error = p.error, due_at = now() + p.after
  FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::text[], $5::interval[])
    AS p (item_id, state, attempts, error, after)
 WHERE d.item_id = p.item_id
"""


async def want(connection: AsyncConnection, rows: Sequence[Offered]) -> None:
    """Ask for the rolls of those of `rows` that are dynamic, and note who offers them; what is known stays as it is."""
    if rows:
        raw = await asyncpg_connection(connection)
        await raw.execute(WANT, *map(list, zip(*rows, strict=True)))


async def want_held(connection: AsyncConnection) -> None:
    """Ask for the rolls of every item that any contract offers, as far as they are not known."""
    await connection.execute(TELL_HELD)
    await connection.execute(WANT_HELD)


async def renew(connection: AsyncConnection) -> None:
    """Take up again what was set aside, with a new allowance of tries."""
    await connection.execute(RENEW)


async def due(connection: AsyncConnection, limit: int) -> list[ItemKey]:
    """Items to be asked for now, the longest due first."""
    rows = await connection.execute(
        select(dynamic_items.c.item_id, dynamic_items.c.type_id)
        .where(dynamic_items.c.state == "wanted", dynamic_items.c.due_at <= func.now())
        .order_by(dynamic_items.c.due_at, dynamic_items.c.item_id)
        .limit(limit)
    )
    return [(item_id, type_id) for item_id, type_id in rows]


async def store(connection: AsyncConnection, read: Mapping[int, DynamicItem], missing: Mapping[int, str]) -> int:
    """Store what was `read` and note why the others are `missing`, by item; returns how many are new.

    An item that is stored stays as it is, whatever comes later.
    """
    raw = await asyncpg_connection(connection)
    wanted = dict(await raw.fetch(LOCK, [*read, *missing]))
    new = {item_id: item for item_id, item in sorted(read.items()) if item_id in wanted}
    await raw.execute(
        SET,
        list(new),
        [item.source_type_id for item in new.values()],
        [item.mutator_type_id for item in new.values()],
        [item.created_by for item in new.values()],
    )
    rolled = [(item_id, rolled) for item_id, item in new.items() for rolled in item.dogma_attributes]
    await raw.execute(
        SET_ATTRIBUTES,
        [item_id for item_id, _ in rolled],
        [attribute.attribute_id for _, attribute in rolled],
        [attribute.value for _, attribute in rolled],
    )
    tried = {item_id: wanted[item_id] + 1 for item_id in missing if item_id in wanted}
    await raw.execute(
        POSTPONE,
        list(tried),
        ["failed" if spent(attempts) else "wanted" for attempts in tried.values()],
        list(tried.values()),
        [missing[item_id].replace("\x00", "") for item_id in tried],
        [pause_after(attempts) for attempts in tried.values()],
    )
    again = {pause_after(attempts) for attempts in tried.values() if not spent(attempts)}
    await timers.put_off(connection, Dataset.DYNAMIC_ITEMS, again)
    return len(new)
