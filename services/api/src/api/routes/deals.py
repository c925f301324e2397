from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response

from api.answers import joined
from api.cursors import cursor_after, position_of
from api.dependencies import ReadConnection
from api.problems import InvalidRequestError, problems
from api.queries import deals as queries
from api.queries.universe import unknown_regions
from api.query_route import QueryRoute
from api.schemas.base import BIGINT
from api.schemas.deals import DealPage, DealQuery

router = APIRouter(route_class=QueryRoute)


@router.get("", response_model=DealPage, responses=problems(503))
async def list_deals(query: Annotated[DealQuery, Query()], connection: ReadConnection) -> Response:
    """List live item exchanges that cost less than they are worth, the cheapest for their worth first.

    Worth is the lesser of what the offer costs at Jita's sell orders and at the average of New Eden; copies of
    blueprints and abyssal items are not priced. Listed is what offers something for ISK alone, nothing asked for in
    return or paid on top, and passes all of these guards:

    - Sell orders above one and a half times the average are no value: a single order can be put there as a bait.
    - Jita's buy orders pay at least a quarter of the worth: what nobody bids for is worth what somebody hopes.
    - The price is at least a tenth of the worth: what is cheaper is too good to be true.
    - At least a million ISK lies between the two.
    - It has a volume.

    What passes may still be worth less than it seems; `uncertain` says of each why that could be.
    """
    after = position_of(query.cursor, query, greatest_tie=BIGINT)
    unknown = await unknown_regions(connection, query.region_id) if query.region_id else []
    if unknown:
        raise InvalidRequestError({"region_id": f"nothing has the id {unknown[0]}"})
    page = await queries.best_deals(connection, query, after)
    cursor = cursor_after(page.last, query) if page.last else None
    return joined(
        items=page.items,
        next_cursor=orjson.dumps(cursor).decode(),
        as_of=page.as_of,
        prices_as_of=page.prices_as_of,
    )
