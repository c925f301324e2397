from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Query, Response

from api import auditing, budgeting, controlling, defining
from api.access import KeyFirst, Requires
from api.answers import found, joined
from api.cursors import cursor_after, position_of
from api.dependencies import AppParts, Parts, ReadConnection, json_only
from api.keyring import Holder
from api.preconditions import IfMatch, required
from api.problems import problems
from api.queries import schedules as queries
from api.schedule_answers import WAITS, Asking, ScheduleId, answered, waiting
from api.schemas.budget import BudgetReport, ScheduleBudget
from api.schemas.schedule_definitions import NewSchedule, ScheduleBody, ScheduleDefinition, SchedulePatch
from api.schemas.schedules import (
    AskedOfSchedule,
    AuditQuery,
    AuditReport,
    Preview,
    Schedule,
    SchedulePage,
    ScheduleQuery,
    SlotPage,
    SlotQuery,
    Upcoming,
)
from common import clock
from common.ids import new_id
from common.keys.tokens import Scope

router = APIRouter(route_class=KeyFirst)

Count = Annotated[int, Query(ge=1, le=100, description="Slots at the most")]
CHANGING = [Requires(Scope.SCHEDULES), Depends(json_only)]
Changer = Annotated[Holder, Requires(Scope.SCHEDULES)]
ETAG = {"ETag": {"description": "The version, for If-Match", "schema": {"type": "string"}, "required": True}}


@router.get("", response_model=SchedulePage, responses=problems(503))
async def list_schedules(query: Annotated[ScheduleQuery, Query()], connection: ReadConnection) -> Response:
    """List schedules by their ids."""
    items, last = await queries.schedules(connection, query)
    return joined(items=items, next_cursor=orjson.dumps(last).decode())


@router.post(
    "",
    status_code=201,
    response_model=Schedule,
    responses={201: {"headers": ETAG}, **WAITS, **problems(400, 409, 413, 415, 503)},
    dependencies=CHANGING,
)
async def create_schedule(body: NewSchedule, parts: AppParts, holder: Changer, asking: Asking) -> Response:
    """Make a schedule; its first slot is the first from now on.

    409, with the arithmetic, if it exists or if the schedules would ask for more than upstream grants.
    """
    definition = defining.permit(defining.sensible(body), holder)
    schedule_id = body.schedule_id or str(new_id())
    asked = await controlling.ask(parts, "create", schedule_id, defining.asked(body, definition, force=asking.force))
    return await answered(parts, asked, schedule_id)


@router.get("/audit", responses=problems(503))
async def audit_schedules(query: Annotated[AuditQuery, Query()], parts: AppParts) -> AuditReport:
    """Compare the ledger with the slots that each schedule has had since it was made, whatever it has been since.

    Names every slot without a line, every line that is no slot and that nobody asked for, and every run that stands for
    two slots.
    """
    return await auditing.audit(parts.engine, query)


@router.get("/budget", responses=problems(503))
async def read_budget(connection: ReadConnection) -> BudgetReport:
    """Compare what the schedules that are at work ask of upstream with what it grants, in each one's densest window."""
    return await budgeting.report(connection)


@router.post("/preview", responses=problems(400, 413, 415, 503), dependencies=CHANGING)
async def preview_schedule(body: ScheduleDefinition, count: Count = 10) -> Preview:
    """Say when a schedule would fire, without making it. One that follows upstream cannot be foretold."""
    definition = defining.sensible(body)
    if definition.kind == "upstream":
        return Preview(items=[])
    return defining.preview(definition, "", after=clock.now(), count=count)


@router.get("/requests/{request_id}", response_model=AskedOfSchedule, responses=problems(404, 503))
async def read_schedule_request(request_id: UUID, connection: ReadConnection) -> Response:
    """Answer with what became of something that was asked of a schedule."""
    return found(await queries.request(connection, request_id), f"There is no request {request_id} on record")


@router.get("/{schedule_id}", response_model=Schedule, responses={200: {"headers": ETAG}, **problems(404, 503)})
async def read_schedule(schedule_id: ScheduleId, connection: ReadConnection) -> Response:
    """Answer with the schedule, its state, and what its last slot came to."""
    shown = await queries.schedule(connection, schedule_id)
    answer = found(shown and shown[0], f"There is no schedule {schedule_id}")
    answer.headers["ETag"] = f'"{shown[1]}"' if shown else ""
    return answer


@router.put(
    "/{schedule_id}",
    response_model=Schedule,
    responses={200: {"headers": ETAG}, **WAITS, **problems(400, 404, 409, 412, 413, 415, 428, 503)},
    dependencies=CHANGING,
)
async def replace_schedule(
    schedule_id: ScheduleId,
    body: ScheduleBody,
    parts: AppParts,
    holder: Changer,
    asking: Asking,
    if_match: IfMatch = None,
) -> Response:
    """Let another definition govern from now on. Slots that have come are decided by the old one first."""
    version = required(if_match)
    request = defining.asked(body, defining.permit(defining.sensible(body), holder), force=asking.force)
    return await answered(
        parts, await controlling.ask(parts, "replace", schedule_id, request, if_version=version), schedule_id
    )


@router.patch(
    "/{schedule_id}",
    response_model=Schedule,
    responses={200: {"headers": ETAG}, **WAITS, **problems(400, 404, 409, 412, 413, 415, 428, 503)},
    dependencies=CHANGING,
)
async def change_schedule(
    schedule_id: ScheduleId,
    body: SchedulePatch,
    parts: AppParts,
    holder: Changer,
    asking: Asking,
    if_match: IfMatch = None,
) -> Response:
    """Change some members, as a JSON merge patch."""
    version = required(if_match)
    stored, at_version = await _stored(parts, schedule_id)
    said = defining.merged(stored, body.model_extra or {})
    request = defining.asked(said, defining.permit(defining.sensible(said), holder), force=asking.force)
    wanted = at_version if version is None else version
    return await answered(
        parts, await controlling.ask(parts, "replace", schedule_id, request, if_version=wanted), schedule_id
    )


@router.delete(
    "/{schedule_id}",
    status_code=204,
    responses={**WAITS, **problems(404, 412, 428, 503)},
    dependencies=[Requires(Scope.SCHEDULES)],
)
async def delete_schedule(schedule_id: ScheduleId, parts: AppParts, if_match: IfMatch = None) -> Response:
    """Delete the schedule; nothing of it fires any more. Its ledger stays."""
    version = required(if_match)
    asked = await controlling.ask(parts, "delete", schedule_id, {}, if_version=version)
    return await waiting(parts, asked) if asked.status is None else Response(status_code=204)


@router.get("/{schedule_id}/slots", response_model=SlotPage, responses=problems(404, 503))
async def list_slots(
    schedule_id: ScheduleId, query: Annotated[SlotQuery, Query()], connection: ReadConnection
) -> Response:
    """List the schedule's slots that were decided, the newest first, each with what its run did.

    Old slots that fired and whose runs succeeded are in `ranges`, which have places of their own on the pages.
    """
    after = position_of(query.cursor, query, greatest_tie=0)
    page = await queries.slots(connection, schedule_id, query, after)
    if page.items == page.ranges == "[]" and not await queries.knows(connection, schedule_id):
        return found(None, f"There is no schedule {schedule_id}")
    cursor = cursor_after(page.last, query) if page.last else None
    return joined(items=page.items, ranges=page.ranges, next_cursor=orjson.dumps(cursor).decode())


@router.get("/{schedule_id}/budget", responses=problems(404, 503))
async def read_budget_of_schedule(schedule_id: ScheduleId, connection: ReadConnection) -> ScheduleBudget:
    """Say what the schedule is expected to ask of upstream, for each run and in its densest window."""
    shown = await queries.schedule(connection, schedule_id)
    text = found(shown and shown[0], f"There is no schedule {schedule_id}").body
    definition = defining.definition_of(defining.merged(orjson.loads(text), {}))
    return await budgeting.of_schedule(connection, schedule_id, definition)


@router.get("/{schedule_id}/next", responses=problems(404, 503))
async def preview_slots(schedule_id: ScheduleId, connection: ReadConnection, count: Count = 10) -> Preview:
    """Say when it fires next, and which slots will pass. One that follows upstream has but the next, which may move."""
    shown = await queries.schedule(connection, schedule_id)
    text = found(shown and shown[0], f"There is no schedule {schedule_id}").body
    stored = orjson.loads(text)
    if stored["next_slot_at"] is None:
        return Preview(items=[])
    upcoming = defining.moment(stored["next_slot_at"])
    if stored["kind"] == "upstream":
        items = [Upcoming(slot_at=upcoming, due_at=defining.moment(stored["next_due_at"]))]
    else:
        definition = defining.definition_of(defining.merged(stored, {}))
        items = defining.preview(definition, schedule_id, after=upcoming, count=count).items
    return defining.passing(items, stored)


async def _stored(parts: Parts, schedule_id: str) -> tuple[dict[str, Any], int]:
    async with parts.engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        shown = await queries.schedule(raw, schedule_id)
    found(shown and shown[0], f"There is no schedule {schedule_id}")
    assert shown is not None
    return orjson.loads(shown[0]), shown[1]
