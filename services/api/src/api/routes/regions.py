from fastapi import APIRouter, Response

from api.answers import JsonAnswer
from api.dependencies import ReadConnection
from api.problems import problems
from api.queries import universe as queries
from api.schemas.universe import Regions

router = APIRouter()


@router.get("", response_model=Regions, responses=problems(503))
async def list_regions(connection: ReadConnection) -> Response:
    """List all regions by name, each with how far its contracts are known."""
    return JsonAnswer(await queries.regions(connection))
