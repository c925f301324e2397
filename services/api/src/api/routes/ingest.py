from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from api import acceptance
from api.access import KeyFirst, Requires
from api.answers import JsonAnswer
from api.dependencies import AppParts, json_only, writing
from api.problems import InvalidRequestError, NotYetError, problems
from api.queries import runs, universe
from api.schemas.runs import IngestCommand, Run
from common.database import asyncpg_connection
from common.keys.tokens import Scope

router = APIRouter(route_class=KeyFirst)

RUNS = "/api/v1/data/runs"

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description="A repeat within a week is answered with the same run, so it is safe to try again",
    ),
]

ANSWER_HEADERS = {
    "Location": {"description": "Where the run is followed", "schema": {"type": "string"}, "required": True},
    "Idempotent-Replayed": {
        "description": "true: the Idempotency-Key was used before, nothing new was accepted",
        "schema": {"type": "string", "const": "true"},
    },
}


@router.post(
    "",
    status_code=202,
    response_model=Run,
    responses={202: {"headers": ANSWER_HEADERS}, **problems(400, 409, 413, 415, 503)},
    dependencies=[Requires(Scope.INGEST), Depends(json_only)],
)
async def ingest(command: IngestCommand, parts: AppParts, idempotency_key: IdempotencyKey = None) -> Response:
    """Accept the command to read a dataset from upstream.

    The run is recorded before this answers, and is carried out whatever happens: also if the message broker is down
    just now. An identical command that is still queued is not queued twice: the answer is the run that stands.
    """
    wanted = acceptance.requested(command)
    async with writing(parts) as connection:
        raw = await asyncpg_connection(connection)
        if wanted.scope.region_id is not None:
            known = await universe.knows_region(raw, wanted.scope.region_id)
            if known is None:
                raise NotYetError("The universe is not loaded yet, so nobody can tell which regions there are")
            if not known:
                raise InvalidRequestError({"scope.region_id": f"there is no region {wanted.scope.region_id}"})
        accepted = await acceptance.accept(connection, parts.outbox, wanted, idempotency_key=idempotency_key)
        run = await runs.run(raw, accepted.run_id)
    headers = {"Location": f"{RUNS}/{accepted.run_id}"}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return JsonAnswer(run, 202, headers)
