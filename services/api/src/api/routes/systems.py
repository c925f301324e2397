from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Query, Response

from api.answers import found, joined
from api.cursors import cursor_after, position_of
from api.dependencies import ReadConnection
from api.problems import problems
from api.queries import places as queries
from api.schemas.base import BIGINT
from api.schemas.places import SolarSystemDetail, SolarSystems, SystemQuery

router = APIRouter()

SystemId = Annotated[int, Path(ge=1, le=BIGINT, description="A solar system's id")]


@router.get("", response_model=SolarSystems, responses=problems(503))
async def list_systems(query: Annotated[SystemQuery, Query()], connection: ReadConnection) -> Response:
    """List solar systems with how many live contracts start in each, by id; with `q` the best first."""
    page = await queries.systems(connection, query, position_of(query.cursor, query, greatest_tie=BIGINT))
    cursor = cursor_after(page.last, query) if page.last else None
    return joined(items=page.items, next_cursor=orjson.dumps(cursor).decode(), as_of=page.as_of)


@router.get("/{system_id}", response_model=SolarSystemDetail, responses=problems(404, 503))
async def read_system(system_id: SystemId, connection: ReadConnection) -> Response:
    """Answer with the solar system, its stations and its neighbours."""
    return found(await queries.system(connection, system_id), f"There is no solar system {system_id}")
