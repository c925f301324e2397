"""Whom the market speaks of: ids wait here until their names are known, and a known name is never blanked."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.tables import names
from ingestor.esi.models import Name

GIVEN_UP_AFTER = timedelta(days=7)
MAX_ATTEMPTS = 5

SET = """
/* names.set */
UPDATE names n SET name = r.name, category = r.category, due_at = NULL
  FROM unnest($1::bigint[], $2::text[], $3::text[]) AS r (id, name, category)
 WHERE n.entity_id = r.id
"""


async def due(connection: AsyncConnection, limit: int) -> list[int]:
    """Ids whose name is unknown and may be asked for now."""
    rows = await connection.scalars(
        select(names.c.entity_id)
        .where(names.c.name.is_(None), names.c.due_at <= func.now())
        .order_by(names.c.entity_id)
        .limit(limit)
    )
    return list(rows)


async def learn(connection: AsyncConnection, found: Sequence[Name]) -> None:
    raw = await asyncpg_connection(connection)
    rows = [row for row in found if row.name]
    await raw.execute(
        SET, [row.id for row in rows], [row.name.replace("\x00", "") for row in rows], [row.category for row in rows]
    )


async def postpone(connection: AsyncConnection, ids: Iterable[int]) -> None:
    """Ask for `ids` again later: soon at first, seldom when ESI keeps not knowing them."""
    await connection.execute(
        update(names)
        .where(names.c.entity_id.in_(list(ids)), names.c.name.is_(None))
        .values(
            attempts=func.least(names.c.attempts + 1, MAX_ATTEMPTS),
            due_at=func.now()
            + case((names.c.attempts + 1 >= MAX_ATTEMPTS, GIVEN_UP_AFTER), else_=timedelta(minutes=10)),
        )
    )
