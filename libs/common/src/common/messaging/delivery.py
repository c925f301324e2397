from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import text

from common.errors import AlreadyHandledError
from common.events import Event
from common.tables import inbox
from common.telemetry import Trace

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Delivery(Generic[E]):
    """A message in a consumer's hands. Deliveries repeat; their effect does not."""

    id: UUID
    event: E
    trace: Trace
    consumer: str
    engine: AsyncEngine

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """The one transaction in which this delivery takes effect.

        Raises `AlreadyHandledError` when it has taken effect before.
        """
        async with self.engine.begin() as connection:
            await self.claim(connection)
            yield connection

    async def claim(self, connection: AsyncConnection) -> None:
        """Mark the delivery as handled if the transaction commits; a concurrent twin waits for that."""
        claimed = await connection.execute(
            insert(inbox).values(consumer=self.consumer, event_id=self.id).on_conflict_do_nothing()
        )
        if not claimed.rowcount:
            raise AlreadyHandledError(str(self.id))


async def handled(connection: AsyncConnection, consumer: str, ids: list[UUID]) -> set[UUID]:
    """Those of `ids` that took effect before."""
    rows = await connection.scalars(
        select(inbox.c.event_id).where(inbox.c.consumer == consumer, inbox.c.event_id.in_(ids))
    )
    return set(rows)


async def forget_old(connection: AsyncConnection, *, days: int) -> None:
    """Drop inbox rows older than any topic's retention: their messages cannot come again."""
    await connection.execute(delete(inbox).where(inbox.c.handled_at < func.now() - text(f"interval '{days} days'")))
