from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.access import SeesMachinery
from api.dependencies import AppParts
from api.metrics import gather

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def read_metrics(parts: AppParts, sees_machinery: SeesMachinery) -> Response:
    """Tell Prometheus of the whole system as the database knows it, within two seconds.

    Of its processes, and of this one's requests and resources, only to a key of the scope `operate`.
    """
    facts = await gather(parts.engine)
    return Response(parts.metrics.exposition(facts, machinery=sees_machinery), media_type=CONTENT_TYPE_LATEST)
