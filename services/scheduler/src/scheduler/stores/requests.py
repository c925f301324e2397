"""What operators ask of schedules (the api's rows), and our answers."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.tables import schedule_answers

# One replica at a time, so that what was asked first is done first; a frozen one's session ends with its transaction.
OURS = text("SELECT pg_try_advisory_xact_lock(hashtextextended('freeport schedule requests', 0))")
PENDING = text("""
/* requests.pending: one that nobody answered for a day is void; who asked has long been told that it waits */
SELECT request_id, schedule_id, control, body, if_version, scopes FROM schedule_requests r
 WHERE requested_at > now() - interval '1 day'
   AND NOT EXISTS (SELECT FROM schedule_answers a WHERE a.request_id = r.request_id)
 ORDER BY requested_at, request_id LIMIT 1
""")
FORGET = text("DELETE FROM schedule_answers WHERE answered_at < now() - interval '8 days'")


@dataclass(frozen=True, slots=True)
class Request:
    """A control that somebody asked for, and what the asker's key may do."""

    request_id: UUID
    schedule_id: str
    control: str
    body: dict[str, Any]
    if_version: int | None
    scopes: list[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request, in HTTP's words."""

    status: int = 200
    detail: str | None = None
    errors: dict[str, str] | None = None
    result: dict[str, Any] = field(default_factory=dict)


async def oldest(connection: AsyncConnection) -> Request | None:
    """The request that is next, ours until the transaction ends; None if there is none or another replica is at it."""
    if not await connection.scalar(OURS):
        return None
    row = (await connection.execute(PENDING)).mappings().one_or_none()
    return None if row is None else Request(**row)


async def answer(connection: AsyncConnection, request: Request, given: Answer) -> None:
    await connection.execute(
        insert(schedule_answers).values(
            request_id=request.request_id,
            status=given.status,
            detail=given.detail,
            errors=given.errors,
            result=given.result,
        )
    )


async def forget_old(connection: AsyncConnection) -> None:
    await connection.execute(FORGET)
