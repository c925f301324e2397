from fastapi import APIRouter, Response

from api.answers import JsonAnswer
from api.dependencies import ReadConnection
from api.problems import problems
from api.queries import taxonomy as queries
from api.schemas.taxonomy import Taxonomy

router = APIRouter()


@router.get("", response_model=Taxonomy, responses=problems(503))
async def read_taxonomy(connection: ReadConnection) -> Response:
    """List the categories and groups that live contracts offer something of, with how many contracts do.

    What is asked for in return does not count. `complete` says whether the items of all live contracts are known.
    """
    return JsonAnswer(await queries.taxonomy(connection))
