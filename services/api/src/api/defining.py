"""From what a client says of a schedule to its definition, and from that to the slots that it will have."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.problems import InvalidRequestError
from api.schemas.schedules import Preview, ScheduleBody, ScheduleDefinition, Upcoming
from common import clock
from common.events import Scope
from common.slots import Definition, delay, faults, slots_of


def sensible(said: ScheduleDefinition) -> Definition:
    """The definition. Raises InvalidRequestError for one that makes no sense, with the fields and the reasons."""
    definition = definition_of(said)
    wrong = faults(definition, now=clock.now())
    if wrong:
        raise InvalidRequestError(wrong)
    return definition


def definition_of(said: ScheduleDefinition) -> Definition:
    fields = {name: getattr(said, name) for name in Definition.__struct_fields__ if name != "scope"}
    return Definition(**fields, scope=Scope(**said.scope.model_dump()))


def asked(said: ScheduleBody, definition: Definition) -> dict[str, Any]:
    """The body of a request that carries a definition and a state."""
    return {"definition": msgspec.to_builtins(definition), "paused": said.paused, "note": said.note}


def merged(stored: Mapping[str, Any], patch: Mapping[str, Any]) -> ScheduleBody:
    """What a merge patch makes of a schedule. Raises RequestValidationError as for a whole body."""
    body = {name: value for name, value in stored.items() if name in ScheduleBody.model_fields and value is not None}
    for name, value in patch.items():
        if name == "scope" and isinstance(value, dict):
            value = {key: part for key, part in {**body["scope"], **value}.items() if part is not None}  # noqa: PLW2901
        if value is None and name in ScheduleBody.model_fields:
            body.pop(name, None)
        else:
            body[name] = value
    try:
        return ScheduleBody.model_validate(body)
    except ValidationError as error:
        wrong = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise RequestValidationError(wrong) from None


def preview(definition: Definition, schedule_id: str, *, after: datetime, count: int) -> Preview:
    """The next `count` slots from `after` on, and when they are due."""
    slots, jitter = slots_of(definition), timedelta(seconds=definition.jitter_seconds)
    items: list[Upcoming] = []
    slot = slots.at_or_after(after)
    while slot is not None and len(items) < count:
        items.append(Upcoming(slot_at=slot, due_at=slot + delay(schedule_id, slot, most=jitter)))
        slot = slots.after(slot)
    return Preview(items=items)


def moment(text: str) -> datetime:
    """An instant as PostgreSQL writes it in JSON."""
    return datetime.fromisoformat(text)
