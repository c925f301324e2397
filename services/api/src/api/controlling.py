"""Asking something of a schedule: the request is a row, the scheduler's answer another."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import orjson

from api.access import lacking
from api.dependencies import Parts
from api.keyring import Holder
from api.problems import InvalidRequestError, RefusedError
from common.ids import new_id
from common.keys.tokens import Scope
from common.messaging.wakeup import CLOCKWORK

PATIENCE = timedelta(seconds=3)
_PAUSES_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05)
ASK = """
WITH old AS (DELETE FROM schedule_requests WHERE requested_at < now() - interval '7 days')
INSERT INTO schedule_requests (request_id, schedule_id, control, body, if_version, scopes)
VALUES ($1, $2, $3, $4::text::jsonb, $5, $6) RETURNING pg_notify($7, '')
"""
ANSWER = "SELECT status, detail, errors::text, result::text FROM schedule_answers WHERE request_id = $1"
ALIVE = """
SELECT EXISTS (SELECT FROM heartbeats WHERE service = 'scheduler' AND beat_at > now() - interval '30 seconds')
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; `status` is None while nobody has answered it."""

    request_id: UUID
    status: int | None = None
    result: Mapping[str, Any] | None = None


async def ask(
    parts: Parts,
    control: str,
    schedule_id: str,
    body: Mapping[str, Any],
    *,
    if_version: int | None = None,
    holder: Holder | None = None,
) -> Asked:
    """Leave a request and wait a moment for its answer. Raises the problem that the answer is, if it is one.

    What is done may depend on the scopes of `holder`, where there is one.

    Where no scheduler lives nobody waits: the request stands, and is done by the next one that comes up within a day.
    """
    request_id = new_id()
    async with parts.engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        text = orjson.dumps(body).decode()
        scopes = sorted(holder.scopes) if holder is not None else []
        await raw.execute(ASK, request_id, schedule_id, control, text, if_version, scopes, CLOCKWORK)
        row = await _answer(raw, request_id)
    if row is None:
        return Asked(request_id)
    if row["status"] >= HTTPStatus.BAD_REQUEST:
        _refuse(row)
    return Asked(request_id, row["status"], orjson.loads(row["result"] or "{}"))


async def _answer(raw: Any, request_id: UUID) -> Any:
    if not await raw.fetchval(ALIVE):
        return None
    waited = timedelta()
    pauses = iter(_PAUSES_SECONDS)
    pause = 0.0
    while waited < PATIENCE:
        row = await raw.fetchrow(ANSWER, request_id)
        if row is not None:
            return row
        pause = next(pauses, pause)
        await asyncio.sleep(pause)
        waited += timedelta(seconds=pause)
    return None


def _refuse(row: Any) -> None:
    if row["errors"]:
        raise InvalidRequestError(orjson.loads(row["errors"]))
    if row["status"] == HTTPStatus.FORBIDDEN:
        raise lacking(Scope.OPERATE)
    raise RefusedError(row["status"], row["detail"], orjson.loads(row["result"] or "{}"))
