from typing import Any

from fastapi import APIRouter, Request, Response

from api.access import OPEN_TO_ALL_MORE_FOR_OPERATORS, SeesMachinery
from api.dependencies import AppParts
from api.problems import problems, unavailable
from api.readiness import judge, observe
from api.schemas.health import Alive, DatabaseHealth, Health, Readiness, RegionHealth, RelayHealth, ServiceHealth
from api.schemas.health import UpstreamHealth as Upstream

router = APIRouter()

MACHINERY = ("instance", "started_at", "progress")
"""What of a process is for operators to see."""


@router.get("")
async def read_health() -> Alive:
    """Say that the process answers; looks at nothing else."""
    return Alive()


@router.get("/ready", response_model=Readiness, responses=problems(503))
async def read_readiness(request: Request, parts: AppParts) -> Readiness | Response:
    """Say whether commands and questions get true answers here, within two seconds.

    503 names what is `missing`: the database or its schema, the universe, an ingestor, or upstream while no region was
    ever read. What fails without making answers untrue is `degraded`, with 200: the scheduler, upstream once there
    is a market, and a market that is still to be read.
    """
    verdict = judge(await observe(parts))
    if verdict.missing:
        return unavailable(request, "; ".join(verdict.missing), missing=verdict.missing, degraded=verdict.degraded)
    return Readiness(status="degraded" if verdict.degraded else "ready", degraded=verdict.degraded)


@router.get("/detailed", responses=problems(401), openapi_extra=OPEN_TO_ALL_MORE_FOR_OPERATORS)
async def read_health_in_detail(parts: AppParts, sees_machinery: SeesMachinery) -> Health:
    """Tell everything that is known of the state of the system; 200 also when that is bad.

    On which hosts its processes run and what they say of themselves is told to a key of the scope `operate`.
    """
    seen = await observe(parts)
    verdict = judge(seen)
    reachable = seen.database_error is None
    return Health(
        status="unready" if verdict.missing else "degraded" if verdict.degraded else "ready",
        missing=verdict.missing,
        degraded=verdict.degraded,
        database=DatabaseHealth(
            ok=reachable, error=seen.database_error, schema_revision=seen.schema, schema_wanted=seen.schema_wanted
        ),
        outbox=seen.outbox,
        relay=RelayHealth(sent=parts.relay.sent),
        services=[_shown(service, whole=sees_machinery) for service in seen.services],
        upstream=Upstream.model_validate({"since": None, "error": None, **seen.upstream}) if seen.upstream else None,
        regions=[RegionHealth.model_validate(region) for region in seen.regions],
    )


def _shown(service: dict[str, Any], *, whole: bool) -> ServiceHealth:
    hidden = {} if whole else dict.fromkeys(MACHINERY)
    return ServiceHealth.model_validate({**service, **hidden})
