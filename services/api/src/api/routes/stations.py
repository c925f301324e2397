from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response

from api.answers import joined
from api.cursors import cursor_after, position_of
from api.dependencies import ReadConnection
from api.problems import problems
from api.queries import places as queries
from api.schemas.base import BIGINT
from api.schemas.places import StationQuery, Stations

router = APIRouter()


@router.get("", response_model=Stations, responses=problems(503))
async def list_stations(query: Annotated[StationQuery, Query()], connection: ReadConnection) -> Response:
    """List stations with how many live contracts start at each, by id; with `q` the best first."""
    page = await queries.stations(connection, query, position_of(query.cursor, query, greatest_tie=BIGINT))
    cursor = cursor_after(page.last, query) if page.last else None
    return joined(items=page.items, next_cursor=orjson.dumps(cursor).decode(), as_of=page.as_of)
