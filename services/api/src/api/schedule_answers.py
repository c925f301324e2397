"""What a client is answered once a scheduler has done what was asked, or has not yet."""

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import Path, Query
from starlette.responses import Response

from api.answers import JsonAnswer, found
from api.controlling import Asked
from api.dependencies import Parts
from api.queries import schedules as queries
from api.schemas.schedule_definitions import SCHEDULE_ID
from api.schemas.schedules import AskedOfSchedule, Forcing

REQUESTS = "/api/v1/schedules/requests"
ScheduleId = Annotated[str, Path(pattern=SCHEDULE_ID, description="A schedule's id")]
Asking = Annotated[Forcing, Query()]
WAITS: dict[int | str, dict[str, Any]] = {
    202: {"model": AskedOfSchedule, "description": "No scheduler has answered yet; the request stands"}
}
"""How an operation is described that asks something of a scheduler."""


async def answered(parts: Parts, asked: Asked, schedule_id: str) -> Response:
    """The schedule as it stands now."""
    if asked.status is None:
        return await waiting(parts, asked)
    async with parts.engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        shown = await queries.schedule(raw, schedule_id)
    answer = found(shown and shown[0], f"There is no schedule {schedule_id} any more")
    assert shown is not None
    answer.status_code = asked.status
    answer.headers["ETag"] = f'"{shown[1]}"'
    if asked.status == HTTPStatus.CREATED:
        answer.headers["Location"] = f"/api/v1/schedules/{schedule_id}"
    return answer


async def told(parts: Parts, asked: Asked) -> Response:
    """What came of it."""
    return await waiting(parts, asked) if asked.status is None else JsonAnswer(orjson.dumps(asked.result))


async def waiting(parts: Parts, asked: Asked) -> Response:
    """202: the request stands, and where it can be followed."""
    async with parts.engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        text = await queries.request(raw, asked.request_id)
    return JsonAnswer(text, 202, {"Location": f"{REQUESTS}/{asked.request_id}"})
