from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api import controlling
from api.access import KeyFirst, Requires
from api.dependencies import AppParts, json_only
from api.keyring import Holder
from api.preconditions import IfMatch, version_of
from api.problems import problems
from api.schedule_answers import WAITS, Asking, ScheduleId, answered, told
from api.schemas.schedules import (
    Backfilled,
    Backfilling,
    Pausing,
    Schedule,
    Skipping,
    Triggered,
)
from common.keys.tokens import Scope

router = APIRouter(route_class=KeyFirst)

MAY = [Requires(Scope.SCHEDULES)]
Changer = Annotated[Holder, Requires(Scope.SCHEDULES)]
"""Where it depends on the key what may be caused to be emitted."""
REFUSALS = problems(400, 404, 409, 412, 503)


@router.post(
    "/{schedule_id}/pause",
    response_model=Schedule,
    responses={**WAITS, **REFUSALS, **problems(413, 415)},
    dependencies=[*MAY, Depends(json_only)],
)
async def pause_schedule(schedule_id: ScheduleId, body: Pausing, parts: AppParts, if_match: IfMatch = None) -> Response:
    """Fire nothing from now on, also not what has come and is not decided yet; all of it stays on record."""
    asked = await controlling.ask(parts, "pause", schedule_id, {"note": body.note}, if_version=version_of(if_match))
    return await answered(parts, asked, schedule_id)


@router.post("/{schedule_id}/resume", response_model=Schedule, responses={**WAITS, **REFUSALS})
async def resume_schedule(
    schedule_id: ScheduleId, parts: AppParts, holder: Changer, asking: Asking, if_match: IfMatch = None
) -> Response:
    """Fire again from the next slot on. What came meanwhile stays skipped; a backfill makes up for it.

    409, with the arithmetic, if the schedules would ask for more than upstream grants.
    """
    version, how = version_of(if_match), asking.model_dump()
    asked = await controlling.ask(parts, "resume", schedule_id, how, if_version=version, holder=holder)
    return await answered(parts, asked, schedule_id)


@router.post("/{schedule_id}/trigger", response_model=Triggered, responses={**WAITS, **REFUSALS})
async def trigger_schedule(
    schedule_id: ScheduleId, parts: AppParts, holder: Changer, if_match: IfMatch = None
) -> Response:
    """Fire now, also a paused schedule, and whatever is under way. Its own slots come as they would have."""
    version = version_of(if_match)
    asked = await controlling.ask(parts, "trigger", schedule_id, {}, if_version=version, holder=holder)
    return await told(parts, asked)


@router.post("/{schedule_id}/skip-next", response_model=Skipping, responses={**WAITS, **REFUSALS}, dependencies=MAY)
async def skip_next_slot(schedule_id: ScheduleId, parts: AppParts, if_match: IfMatch = None) -> Response:
    """Let the next slot pass."""
    asked = await controlling.ask(parts, "skip_next", schedule_id, {}, if_version=version_of(if_match))
    return await told(parts, asked)


@router.post(
    "/{schedule_id}/backfill",
    response_model=Backfilled,
    responses={**WAITS, **REFUSALS, **problems(413, 415)},
    dependencies=[*MAY, Depends(json_only)],
)
async def backfill_schedule(
    schedule_id: ScheduleId, body: Backfilling, parts: AppParts, holder: Changer, if_match: IfMatch = None
) -> Response:
    """Make up for slots of the past that did not fire, or say which these would be."""
    version, wanted = version_of(if_match), body.model_dump(mode="json")
    asked = await controlling.ask(parts, "backfill", schedule_id, wanted, if_version=version, holder=holder)
    return await told(parts, asked)
