"""From what a client says of a schedule to its definition, and from that to the slots that it will have."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.access import lacking
from api.keyring import Holder
from api.problems import InvalidRequestError
from api.schemas.schedule_definitions import ScheduleBody, ScheduleDefinition
from api.schemas.schedules import Preview, Upcoming
from common import clock
from common.events import Scope
from common.keys.tokens import Scope as KeyScope
from common.slots import Definition, Emission, EmissionError, Meant, delay, faults, meant_by, slots_of

_SHORT = {"action", "dataset", "scope"}
"""The short words for what `emits` says in full."""


def sensible(said: ScheduleDefinition) -> Definition:
    """The definition. Raises InvalidRequestError for one that makes no sense, with the fields and the reasons."""
    definition = definition_of(said)
    wrong = faults(definition, now=clock.now())
    if wrong:
        raise InvalidRequestError(wrong)
    return definition


def definition_of(said: ScheduleDefinition) -> Definition:
    """Raises InvalidRequestError where what it emits is no event, or is said twice and differently."""
    meant = _meant(said)
    fields = {name: getattr(said, name) for name in Definition.__struct_fields__ if name not in meant._fields}
    return Definition(**fields, **meant._asdict())


def permit(definition: Definition, holder: Holder) -> Definition:
    """The definition, if the key of `holder` may have it emitted. Raises 403 else: the rest is the operators'."""
    if definition.action != "ingest" and KeyScope.OPERATE not in holder.scopes:
        raise lacking(KeyScope.OPERATE)
    return definition


def _meant(said: ScheduleDefinition) -> Meant:
    short = Meant(said.action or "ingest", said.dataset, Scope(**said.scope.model_dump()))
    if said.emits is None:
        return short
    try:
        meant = meant_by(Emission(type=said.emits.type, data=said.emits.data))
    except EmissionError as error:
        raise InvalidRequestError({error.field: error.reason}) from error
    said_too = said.model_fields_set & (_SHORT if said.action != "emit" else _SHORT - {"action"})
    wrong = {
        name: "says something else than emits"
        for name in sorted(said_too)
        if getattr(said, name) is not None and getattr(short, name) != getattr(meant, name)
    }
    if wrong:
        raise InvalidRequestError(wrong)
    return meant


def asked(said: ScheduleBody, definition: Definition, *, force: bool) -> dict[str, Any]:
    """The body of a request that carries a definition and a state."""
    return {"definition": msgspec.to_builtins(definition), "paused": said.paused, "note": said.note, "force": force}


def merged(stored: Mapping[str, Any], patch: Mapping[str, Any]) -> ScheduleBody:
    """What a merge patch makes of a schedule. Raises RequestValidationError as for a whole body."""
    body = {name: value for name, value in stored.items() if name in ScheduleBody.model_fields and value is not None}
    for name in _said_anew(body, patch):
        body.pop(name, None)
    try:
        return ScheduleBody.model_validate(_patched(body, patch))
    except ValidationError as error:
        wrong = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise RequestValidationError(wrong) from None


def _said_anew(body: Mapping[str, Any], patch: Mapping[str, Any]) -> set[str]:
    """What no longer counts of what is emitted, because the patch says it in other words."""
    emits = patch.get("emits")
    if emits is not None:
        return {*_SHORT, "emits"} if isinstance(emits, dict) and "type" in emits else _SHORT
    if not patch.keys() & {*_SHORT, "emits"}:
        return set()
    return {"emits", "action"} if body["action"] == "emit" else {"emits"}


def _patched(body: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """As RFC 7396 has it, but that members nobody knows stay, so that they are refused."""
    patched = dict(body)
    for name, value in patch.items():
        if value is None and (name in body or name in ScheduleBody.model_fields):
            patched.pop(name, None)
        elif isinstance(value, dict) and isinstance(body.get(name), dict):
            patched[name] = _patched(body[name], value)
        else:
            patched[name] = value
    return patched


def preview(definition: Definition, schedule_id: str, *, after: datetime, count: int) -> Preview:
    """The next `count` slots from `after` on, and when they are due."""
    slots, jitter = slots_of(definition), timedelta(seconds=definition.jitter_seconds)
    items: list[Upcoming] = []
    slot = slots.at_or_after(after)
    while slot is not None and len(items) < count:
        items.append(Upcoming(slot_at=slot, due_at=slot + delay(schedule_id, slot, most=jitter)))
        slot = slots.after(slot)
    return Preview(items=items)


def passing(items: Sequence[Upcoming], stored: Mapping[str, Any]) -> Preview:
    """The slots to come of a schedule as it is stored, with those marked that will pass without effect."""
    marked = [
        each.model_copy(update={"passes": stored["paused"] or (stored["skip_next"] and number == 0)})
        for number, each in enumerate(items)
    ]
    return Preview(items=marked)


def moment(text: str) -> datetime:
    """An instant as PostgreSQL writes it in JSON."""
    return datetime.fromisoformat(text)
