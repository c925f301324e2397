from fastapi import APIRouter, Response

from api.answers import JsonAnswer
from api.dependencies import ReadConnection
from api.problems import problems
from api.queries import stats as queries
from api.schemas.stats import Stats
from common.tables import RUN_STATES

router = APIRouter()


@router.get("", response_model=Stats, responses=problems(503))
async def read_stats(connection: ReadConnection) -> Response:
    """Count the market, region by region, and what the machinery has done and has still to do."""
    return JsonAnswer(await queries.stats(connection, RUN_STATES))
