from typing import Annotated

import orjson
from fastapi import APIRouter, Query, Response

from api.answers import JsonAnswer, found
from api.dependencies import ReadConnection, TypeId
from api.problems import InvalidRequestError, problems
from api.queries import type_prices, type_search
from api.queries import universe as queries
from api.schemas.type_prices import PriceQuery, TypePrices
from api.schemas.type_search import FoundTypes, TypeQuery
from api.schemas.universe import ItemType

router = APIRouter()


@router.get("", response_model=FoundTypes, responses=problems(503))
async def find_types(query: Annotated[TypeQuery, Query()], connection: ReadConnection) -> Response:
    """Find types by the beginnings of words, for boxes that complete what is typed; mistakes are forgiven."""
    meant = await type_search.understand(connection, query.q) if query.q else None
    corrected = orjson.dumps(meant.corrected if meant else {}).decode()
    return JsonAnswer(await type_search.find(connection, query, meant, corrected))


@router.get("/{type_id}", response_model=ItemType, responses=problems(404, 503))
async def read_type(type_id: TypeId, connection: ReadConnection) -> Response:
    """Answer with the item type, its group and category, what it costs, and how many live contracts offer it."""
    return found(await queries.item_type(connection, type_id), _no_type(type_id))


@router.get("/{type_id}/prices", response_model=TypePrices, responses=problems(404, 503))
async def read_type_prices(
    type_id: TypeId, query: Annotated[PriceQuery, Query()], connection: ReadConnection
) -> Response:
    """Tell what contracts ask for the type, and what those asked that are gone, by the day on which they left the list.

    Only item exchanges count that offer this type alone and ask for ISK alone. Copies of a blueprint are told apart by
    runs and research; originals are not.
    """
    unknown = await queries.unknown_regions(connection, query.region_id) if query.region_id else []
    if unknown:
        raise InvalidRequestError({"region_id": f"nothing has the id {unknown[0]}"})
    return found(await type_prices.prices(connection, type_id, query), _no_type(type_id))


def _no_type(type_id: int) -> str:
    return f"There is no type {type_id}"
