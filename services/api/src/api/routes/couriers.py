from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response

from api.answers import joined
from api.cursors import cursor_after, position_of
from api.dependencies import ReadConnection
from api.problems import InvalidRequestError, problems
from api.queries import couriers as queries
from api.queries.universe import unknown_regions
from api.query_route import QueryRoute
from api.schemas.base import BIGINT
from api.schemas.couriers import CourierPage, CourierQuery

router = APIRouter(route_class=QueryRoute)


@router.get("", response_model=CourierPage, responses=problems(503))
async def list_couriers(query: Annotated[CourierQuery, Query()], connection: ReadConnection) -> Response:
    """List live courier contracts with what they pay for a jump and a cubic metre, the best paid first.

    Ways are counted on New Eden's stargates: the shortest, and the shortest through high security alone. A start or end
    in a player's structure is not public: `unknown` names it, and such a contract has no jumps.
    """
    after = position_of(query.cursor, query, greatest_tie=BIGINT)
    for name in ("region_id", "end_region_id"):
        asked: list[int] = getattr(query, name)
        unknown = await unknown_regions(connection, asked) if asked else []
        if unknown:
            raise InvalidRequestError({name: f"nothing has the id {unknown[0]}"})
    page = await queries.couriers(connection, query, after)
    cursor = cursor_after(page.last, query) if page.last else None
    return joined(items=page.items, next_cursor=orjson.dumps(cursor).decode(), as_of=page.as_of)
