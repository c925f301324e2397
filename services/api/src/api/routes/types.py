from fastapi import APIRouter, Response

from api.answers import found
from api.dependencies import ReadConnection, TypeId
from api.problems import problems
from api.queries import universe as queries
from api.schemas.universe import ItemType

router = APIRouter()


@router.get("/{type_id}", response_model=ItemType, responses=problems(404, 503))
async def read_type(type_id: TypeId, connection: ReadConnection) -> Response:
    """Answer with the item type, its group and its category."""
    return found(await queries.item_type(connection, type_id), f"There is no type {type_id}")
