from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response

from api.answers import joined
from api.cursors import Position, cursor_after, position_of
from api.dependencies import ReadConnection
from api.problems import InvalidRequestError, problems
from api.queries import contracts as queries
from api.queries import counting
from api.queries.known import shows_what_it_names, unknown_values
from api.queries.rolls import offering
from api.queries.search import understand
from api.query_route import QueryRoute
from api.schemas.base import BIGINT
from api.schemas.contracts import DEEPEST, ContractPage, ContractQuery

router = APIRouter(route_class=QueryRoute)


@router.get("", response_model=ContractPage, responses=problems(503))
async def list_contracts(query: Annotated[ContractQuery, Query()], connection: ReadConnection) -> Response:
    """List contracts: by default the live ones, the newest first.

    Live is what stands in its region's list and has not expired. Several filters hold together; several values of one
    filter are alternatives, given as `region_id=1&region_id=2`. Bounds on items hold on one offered item: with
    `type_id`, `is_bpc`, `me_min` and `runs_max`, one stack is of that type, a copy, and within those bounds. A value
    that nobody knows is within no bound; `excluded` says how many contracts are missing for that, `coverage` how far
    the regions are known at all.
    """
    if query.skipped + query.most > max(DEEPEST, query.most):
        raise InvalidRequestError({"page": f"is deeper than {DEEPEST:,} contracts; go on with next_cursor"})
    position = position_of(query.cursor, query, greatest_tie=BIGINT)
    # One moment for all of it: what is counted is what is listed, and as old as it is said to be.
    async with connection.moment():
        search = None if query.q is None else await understand(connection, query.q)
        offers = await offering(connection, query)
        outlook = await counting.outlook(connection, query, query.count, offers)
        page = await queries.page_of(connection, query, search, position, outlook, offers)
        # What is found proves that there is whatever it was asked for by.
        if not (page.found and shows_what_it_names(query)):
            unknown = await unknown_values(connection, query)
            if unknown:
                raise InvalidRequestError(unknown)
        items, covered = await queries.shown_of(connection, page.contract_ids, query.fields, query.region_id)
        return joined(
            items=items,
            next_cursor=_cursor(page.after, query),
            prev_cursor=_cursor(page.before, query),
            as_of=covered.as_of,
            counts=await counting.counts(connection, query, search, query.count, page.by_type, outlook, offers),
            excluded=await counting.excluded(connection, query, search, query.count, covered.unread, outlook),
            coverage=covered.regions,
            understood="null" if search is None else orjson.dumps({"corrected": search.corrected}).decode(),
        )


def _cursor(position: Position | None, query: ContractQuery) -> str:
    return "null" if position is None else orjson.dumps(cursor_after(position, query)).decode()
