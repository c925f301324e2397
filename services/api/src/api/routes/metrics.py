from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.dependencies import AppParts
from api.metrics import gather

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def read_metrics(parts: AppParts) -> Response:
    """Tell Prometheus of this process, and of the whole system as the database knows it, within two seconds."""
    facts = await gather(parts.engine)
    return Response(parts.metrics.exposition(facts), media_type=CONTENT_TYPE_LATEST)
