"""Whom the market speaks of: ids wait here until their names are known, and a known name is never blanked."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.events import Dataset
from common.tables import names
from ingestor.esi.models import Name
from ingestor.stores import timers, words

AGAIN_AFTER = timedelta(minutes=10)
GIVEN_UP_AFTER = timedelta(days=7)
MAX_ATTEMPTS = 5

SET = """
/* names.set */
WITH held AS MATERIALIZED (
  SELECT entity_id FROM names WHERE entity_id = ANY($1::bigint[]) ORDER BY entity_id FOR UPDATE
)
UPDATE names n SET name = r.name, category = r.category, due_at = NULL
  FROM held JOIN unnest($1::bigint[], $2::text[], $3::text[]) AS r (id, name, category) ON r.id = held.entity_id
 WHERE n.entity_id = held.entity_id
"""


_DUE = names.c.name.is_(None) & (names.c.due_at <= func.now())


async def waiting(connection: AsyncConnection) -> bool:
    """Whether somebody's name is unknown and may be asked for now."""
    return await connection.scalar(select(names.c.entity_id).where(_DUE).limit(1)) is not None


async def unseen(connection: AsyncConnection, limit: int) -> list[int]:
    """Ids that were never asked for."""
    rows = await connection.scalars(
        select(names.c.entity_id).where(_DUE, names.c.attempts == 0).order_by(names.c.entity_id).limit(limit)
    )
    return list(rows)


async def suspects(connection: AsyncConnection, limit: int) -> list[int]:
    """Ids that upstream did not know when they were asked for, and that may be asked for again."""
    rows = await connection.scalars(
        select(names.c.entity_id).where(_DUE, names.c.attempts > 0).order_by(names.c.due_at).limit(limit)
    )
    return list(rows)


async def learn(connection: AsyncConnection, found: Sequence[Name]) -> None:
    """Write down the names of those that wait for one; a blank name is none."""
    raw = await asyncpg_connection(connection)
    rows = sorted(((row.id, _clean(row.name), _clean(row.category)) for row in found), key=lambda row: row[0])
    named = [row for row in rows if row[1]]
    await raw.execute(SET, *([row[index] for row in named] for index in range(3)))
    await words.name_issuers(raw, {entity_id: name for entity_id, name, _ in named})


async def postpone(connection: AsyncConnection, ids: Iterable[int]) -> None:
    """Ask for `ids` again later: soon at first, seldom when ESI keeps not knowing them."""
    attempts = await connection.scalars(
        update(names)
        .where(names.c.entity_id.in_(list(ids)), names.c.name.is_(None))
        .values(
            attempts=func.least(names.c.attempts + 1, MAX_ATTEMPTS),
            due_at=func.now() + case((names.c.attempts + 1 >= MAX_ATTEMPTS, GIVEN_UP_AFTER), else_=AGAIN_AFTER),
        )
        .returning(names.c.attempts)
    )
    again = {GIVEN_UP_AFTER if tried >= MAX_ATTEMPTS else AGAIN_AFTER for tried in attempts}
    await timers.put_off(connection, Dataset.NAMES, again)


def _clean(text: str) -> str:
    return text.replace("\x00", "").strip()
