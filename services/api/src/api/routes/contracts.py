from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response

from api.answers import joined
from api.cursors import cursor_after, position_of
from api.dependencies import ReadConnection
from api.problems import InvalidRequestError, problems
from api.queries import contracts as queries
from api.queries.known import unknown_values
from api.schemas.base import BIGINT
from api.schemas.contracts import ContractPage, ContractQuery

router = APIRouter()


@router.get("", response_model=ContractPage, responses=problems(503))
async def list_contracts(query: Annotated[ContractQuery, Query()], connection: ReadConnection) -> Response:
    """List live contracts, the newest first.

    Live is what stands in its region's list and has not expired. Several filters hold together; several values of one
    filter are alternatives. `coverage` says of which regions, as of when, and what could not be judged yet.
    """
    after = position_of(query.cursor, query, greatest_tie=BIGINT)
    unknown = await unknown_values(connection, query)
    if unknown:
        raise InvalidRequestError(unknown)
    page = await queries.live_contracts(connection, query, after)
    cursor = cursor_after(page.last, query) if page.last else None
    return joined(
        items=page.items, next_cursor=orjson.dumps(cursor).decode(), as_of=page.as_of or "null", coverage=page.coverage
    )
