"""What a slot emits when it fires: a command, the look at what was left unfinished, or any event of the catalogue."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from common.events import CATALOGUE, Dataset, Event, IngestRequested, ScheduleDue, Scope, encode
from common.ids import derived_id

Action = Literal["ingest", "reconcile", "emit"]

EVENTS: Mapping[str, type[Event]] = {event.type: event for event in CATALOGUE}
_SLOT_S_OWN = ("schedule_id", "slot_at", "run_id")
_PLACED = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(\w+)`")


class Emission(msgspec.Struct, frozen=True, kw_only=True):
    """An event as its author wrote it."""

    type: str
    data: dict[str, Any]


class Meant(NamedTuple):
    """What is to be done; `emits` is set only where no shorter word says it."""

    action: Action
    dataset: Dataset | None = None
    scope: Scope = Scope()
    emits: Emission | None = None


class EmissionError(ValueError):
    """It is no event of the catalogue; `field` says where, `reason` why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@lru_cache(maxsize=1_024)  # the ledger and the message ask for the same, one after the other
def event_id(schedule_id: str, slot_at: datetime) -> UUID:
    """The id of what a slot emits: the same whoever tells of that slot, and how often."""
    return derived_id("slot", schedule_id, slot_at.astimezone(UTC).isoformat())


def event_of(emission: Emission) -> Event:
    """The event, by its class. Raises `EmissionError`."""
    kind = EVENTS.get(emission.type)
    if kind is None:
        raise EmissionError("emits.type", f"there is no event {emission.type}")
    try:  # by way of JSON, so that amounts are read as every consumer reads them
        event = msgspec.json.decode(msgspec.json.encode(emission.data), type=kind)
    except msgspec.ValidationError as error:
        raise EmissionError(*_placed(str(error))) from None
    unknown = _unknown(emission.data, msgspec.json.decode(encode(event)))
    if unknown is not None:
        raise EmissionError(f"emits.data.{unknown}", f"is no field of {emission.type}")
    return event


def meant_by(emission: Emission) -> Meant:
    """What an emission comes to: commands and slots are Freeport's own work, which is followed to its end.

    Raises `EmissionError`.
    """
    if emission.type == IngestRequested.type:
        return _command(emission)
    if emission.type == ScheduleDue.type:
        return _slot(emission)
    event_of(emission)
    return Meant("emit", emits=emission)


def _command(emission: Emission) -> Meant:
    command = event_of(emission)
    assert isinstance(command, IngestRequested)
    if command.run_id is not None:
        raise EmissionError("emits.data.run_id", "is the slot's own")
    if command.force:
        raise EmissionError("emits.data.force", "means nothing to a schedule: it reads what is newer upstream")
    return Meant("ingest", command.dataset, command.scope)


def _slot(emission: Emission) -> Meant:
    for name in _SLOT_S_OWN:
        if name in emission.data:
            raise EmissionError(f"emits.data.{name}", "is the slot's own")
    any_slot = {"schedule_id": "any", "slot_at": "1970-01-01T00:00:00Z"}
    slot = event_of(Emission(type=emission.type, data={**emission.data, **any_slot}))
    assert isinstance(slot, ScheduleDue)
    return Meant(slot.action, slot.dataset, slot.scope)


def _placed(fault: str) -> tuple[str, str]:
    """The field that msgspec's words are about, and what they say of it."""
    placed = _PLACED.fullmatch(fault)
    reason, path = (placed[1], placed[2]) if placed else (fault, "")
    missing = _MISSING.fullmatch(reason)
    if missing:
        reason, path = "is required", f"{path}.{missing[1]}" if path else missing[1]
    elif reason.startswith("scope."):  # what a command says of itself
        path, _, reason = reason.partition(" ")
    return f"emits.data.{path}".rstrip("."), reason[:1].lower() + reason[1:]


def _unknown(said: Mapping[str, Any], understood: Mapping[str, Any]) -> str | None:
    """The first member of `said` that nobody will read."""
    for name, value in said.items():
        if name not in understood:
            if value is None:  # a part that is not meant is left out
                continue
            return name
        if isinstance(value, dict) and isinstance(understood[name], dict):
            deeper = _unknown(value, understood[name])
            if deeper is not None:
                return f"{name}.{deeper}"
    return None
