from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Query, Response

from api.answers import found, joined
from api.cursors import cursor_after, position_of
from api.dependencies import ReadConnection
from api.problems import problems
from api.queries import runs as queries
from api.schemas.runs import Run, RunPage, RunQuery

router = APIRouter()

RunId = Annotated[UUID, Path(description="A run's id, as the ingest command was answered with")]
_GREATEST_UUID = 2**128 - 1


@router.get("", response_model=RunPage, responses=problems(503))
async def list_runs(query: Annotated[RunQuery, Query()], connection: ReadConnection) -> Response:
    """List runs, the newest first: those the api accepted and those that schedules or Kafka producers asked for."""
    after = position_of(query.cursor, query, greatest_tie=_GREATEST_UUID)
    page = await queries.newest_runs(connection, query, after)
    cursor = cursor_after(page.last, query) if page.last else None
    return joined(items=page.items, next_cursor=orjson.dumps(cursor).decode())


@router.get("/{run_id}", response_model=Run, responses=problems(404, 503))
async def read_run(run_id: RunId, connection: ReadConnection) -> Response:
    """Answer with the run, from queued to its end, and the schedule's slot that caused it, if one did."""
    return found(await queries.run(connection, run_id), f"There is no run {run_id}")
