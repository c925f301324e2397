"""What a client says of a schedule: what is to happen, and when."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from api.nearest import suggestion
from api.schemas.base import as_written
from api.schemas.runs import CommandScope
from common.events import Dataset
from common.slots import EVENTS

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
YEAR = 366 * 86_400
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
SCHEDULE_ID = r"^[A-Za-z0-9][A-Za-z0-9:._-]{0,99}$"
RESERVED = frozenset({"audit", "budget", "preview", "requests"})


def _bounded(moment: datetime) -> datetime:
    if not _FIRST <= moment <= _LAST:
        raise ValueError("lies outside of the years 1970 to 2199")
    return moment


def _unreserved(schedule_id: str) -> str:
    if schedule_id in RESERVED:
        raise ValueError("is the name of something else here")
    return schedule_id


def _in_the_catalogue(event: str) -> str:
    if event not in EVENTS:
        raise ValueError(f"there is no event {event}{suggestion(event, EVENTS)}")
    return event


def _storable(data: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """JSON that can be stored: Python's reader takes more than that."""
    try:
        text = orjson.dumps(data)
    except TypeError as error:
        raise ValueError(f"cannot be written as JSON: {error}") from None
    if _NUL.search(text):
        raise ValueError("holds a character that is none")
    return data


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(as_written),
    AfterValidator(_bounded),
    Field(description="RFC 3339, with its offset"),
]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Note = Annotated[str | None, Field(max_length=1_000, pattern=r"^[^\x00]*$")]
NewScheduleId = Annotated[str, Field(pattern=SCHEDULE_ID), AfterValidator(_unreserved)]
Kind = Literal["interval", "cron", "once", "upstream"]
Overlap = Literal["skip", "buffer_one", "allow_all"]
Action = Literal["ingest", "reconcile", "emit"]
EventType = Annotated[str, AfterValidator(_in_the_catalogue), Field(json_schema_extra={"enum": sorted(EVENTS)})]
EventData = Annotated[dict[str, JsonValue], AfterValidator(_storable)]

_EXAMPLE: dict[str, JsonValue] = {
    "name": "Prices before the evening",
    "kind": "cron",
    "cron": "30 17 * * MON-FRI",
    "zone": "Europe/Berlin",
    "dataset": "prices",
}
_EMITTING: dict[str, JsonValue] = {
    "name": "Read two contracts' items once more",
    "kind": "once",
    "at": "2030-01-01T00:00:00Z",
    "emits": {
        "type": "freeport.ingest.items.wanted.v1",
        "data": {"region_id": 10000002, "contract_ids": [236101571, 236101613]},
    },
}


class Emission(BaseModel):
    """An event of the catalogue, as /asyncapi describes it."""

    model_config = ConfigDict(extra="forbid")

    type: EventType
    data: EventData = Field(description="Its payload; what a slot knows itself (run_id, slot_at) stays out")


class ScheduleDefinition(BaseModel):
    """What is to happen, and when."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE, _EMITTING]})

    name: Text
    kind: Kind = Field(
        description="interval: whole multiples of every_seconds since the epoch, plus offset_seconds; cron: by the "
        "clocks of a zone; once; upstream: when a run told that upstream has something newer"
    )
    every_seconds: int | None = Field(
        None, ge=1, le=YEAR, description="interval: between slots; upstream: while no run has told a better instant"
    )
    offset_seconds: int = Field(0, ge=-YEAR, le=YEAR)
    min_seconds: int | None = Field(None, ge=1, le=YEAR, description="upstream: between two slots at the least")
    max_seconds: int | None = Field(None, ge=1, le=YEAR, description="upstream: at the most")
    cron: str | None = Field(
        None,
        max_length=200,
        pattern=r"^[^\x00]*$",
        description="Five fields as in crontab, or six with the seconds first. What clocks leap over comes as they "
        "have leapt; what they show twice comes the first time",
    )
    zone: str | None = Field(None, max_length=100, pattern=r"^[^\x00]*$", description="An IANA time zone")
    at: Moment | None = Field(None, description="once: when")
    start_at: Moment | None = Field(None, description="No slot comes before")
    end_at: Moment | None = Field(None, description="No slot comes then or later")
    action: Action | None = Field(
        None,
        description="ingest: read a dataset anew; reconcile: take up what was accepted but never finished; emit: what "
        "emits says. Told by the others when absent. All but ingest takes a key that has the scope operate too",
    )
    dataset: Dataset | None = Field(None, description="ingest: what to read")
    scope: CommandScope = CommandScope()
    emits: Emission | None = Field(
        None,
        description="What is published when a slot fires. A command may be written here or as dataset and scope; any "
        "other event is published as it stands, with the slot's instant as its time and an id derived from the slot",
    )
    overlap: Overlap = Field(
        "skip", description="What a slot does whose last run still reads: nothing, wait (one of them), or fire as well"
    )
    catchup: Literal["none", "latest", "all"] = Field(
        "latest",
        description="Which slots fire that came while no scheduler ran: none later than a minute, the newest, all",
    )
    catchup_seconds: int | None = Field(None, ge=1, le=YEAR, description="What is later than this does not fire")
    jitter_seconds: int = Field(0, ge=0, le=86_400, description="Slots are due so much later at the most")
    pause_after_failures: int | None = Field(None, ge=1, le=1_000, description="Failed runs in a row that pause it")


class ScheduleBody(ScheduleDefinition):
    """A definition, and whether it is at work."""

    paused: bool = Field(False, strict=True)  # noqa: FBT003
    note: Note = None


class NewSchedule(ScheduleBody):
    """A schedule that does not exist yet."""

    schedule_id: NewScheduleId | None = Field(None, description="Made up when absent")


class SchedulePatch(BaseModel):
    """Any members of a schedule, as a JSON merge patch (RFC 7396): null takes a member's default.

    An event with its type takes the place of the one before, also where that was written as dataset and scope.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"every_seconds": 600}, {"note": None}]})
