from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self, get_args
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from api.schemas.base import Instant, Shown
from api.schemas.runs import CommandScope, RunCounts, RunState
from common.events import Dataset
from common.tables import FATES

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
YEAR = 366 * 86_400
SCHEDULE_ID = r"^[A-Za-z0-9][A-Za-z0-9:._-]{0,99}$"
RESERVED = frozenset({"audit", "preview", "requests"})


def _bounded(moment: datetime) -> datetime:
    if not _FIRST <= moment <= _LAST:
        raise ValueError("lies outside of the years 1970 to 2199")
    return moment


def _unreserved(schedule_id: str) -> str:
    if schedule_id in RESERVED:
        raise ValueError("is the name of something else here")
    return schedule_id


Moment = Annotated[AwareDatetime, AfterValidator(_bounded), Field(description="RFC 3339, with its offset")]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Note = Annotated[str | None, Field(max_length=1_000, pattern=r"^[^\x00]*$")]
NewScheduleId = Annotated[str, Field(pattern=SCHEDULE_ID), AfterValidator(_unreserved)]
Kind = Literal["interval", "cron", "once", "upstream"]
Overlap = Literal["skip", "buffer_one", "allow_all"]
Fate = Literal["fired", "skipped_overlap", "skipped_paused", "skipped_catchup", "backfilled"]
assert set(get_args(Fate)) == set(FATES)

_EXAMPLE: dict[str, JsonValue] = {
    "name": "Prices before the evening",
    "kind": "cron",
    "cron": "30 17 * * MON-FRI",
    "zone": "Europe/Berlin",
    "dataset": "prices",
}


class ScheduleDefinition(BaseModel):
    """What is to happen, and when."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

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
    action: Literal["ingest", "reconcile"] = Field(
        "ingest", description="ingest: read a dataset anew; reconcile: take up what was accepted but never finished"
    )
    dataset: Dataset | None = Field(None, description="ingest: what to read")
    scope: CommandScope = CommandScope()
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
    """Any members of a schedule, as a JSON merge patch (RFC 7396): null takes a member's default."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"examples": [{"every_seconds": 600}, {"note": None}]})


class Pausing(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    note: Note = None


class Backfilling(BaseModel):
    """Which slots to make up for: from `since` to `until`, both included."""

    model_config = ConfigDict(extra="forbid")

    since: Moment
    until: Moment
    overlap: Literal["skip", "allow_all"] | None = Field(
        None, description="skip: only the first, as the others would meet its run; the schedule's own if absent"
    )
    dry_run: bool = Field(False, strict=True, description="Say what would be done, and do nothing")  # noqa: FBT003
    force: bool = Field(False, strict=True, description="Also more than 10,000 slots, up to 100,000")  # noqa: FBT003

    @model_validator(mode="after")
    def _ascends(self) -> Self:
        if self.until < self.since:
            raise ValueError("until is before since")
        return self


class SlotRun(Shown):
    """What the run did that a slot caused."""

    run_id: UUID
    state: RunState
    reason: str | None
    started_at: Instant | None
    finished_at: Instant | None
    counts: RunCounts | None


class Slot(Shown):
    """A line of the ledger."""

    schedule_id: str
    slot_at: Instant
    due_at: Instant = Field(description="The slot, or as much later as its jitter says; to the millisecond")
    fate: Fate
    decided_at: Instant = Field(description="When it fired or was skipped, on the database's clock")
    lateness_ms: int
    request_id: UUID | None = Field(description="The request that caused it: a trigger or a backfill")
    run: SlotRun | None = Field(description="The run it caused; null where it caused none")


class Schedule(Shown):
    """A schedule: its definition, its state, and what comes next."""

    schedule_id: str
    name: str
    kind: Kind
    every_seconds: int | None
    offset_seconds: int
    min_seconds: int | None
    max_seconds: int | None
    cron: str | None
    zone: str | None
    at: Instant | None
    start_at: Instant | None
    end_at: Instant | None
    action: Literal["ingest", "reconcile"]
    dataset: str | None
    scope: dict[str, int]
    overlap: Overlap
    catchup: Literal["none", "latest", "all"]
    catchup_seconds: int | None
    jitter_seconds: int
    pause_after_failures: int | None
    paused: bool
    note: str | None
    version: int = Field(description="What the ETag holds; counts what operators changed")
    created_at: Instant
    updated_at: Instant
    next_slot_at: Instant | None = Field(description="null: none comes any more")
    next_due_at: Instant | None
    skip_next: bool = Field(description="The next slot will pass without effect")
    waiting_slot_at: Instant | None = Field(description="buffer_one: the slot that waits for the run under way to end")
    fresh_until: Instant | None = Field(description="upstream: it has nothing newer before, as runs told")
    last_slot: Slot | None


class ScheduleQuery(BaseModel):
    """Which schedules, and which page of them."""

    kind: list[Kind] = Field([], max_length=4)
    dataset: list[Dataset] = Field([], max_length=10)
    paused: bool | None = None
    limit: int = Field(100, ge=1, le=1_000)
    cursor: str | None = Field(None, pattern=SCHEDULE_ID, description="`next_cursor` of the page before")


class SchedulePage(Shown):
    """Schedules by their ids."""

    items: list[Schedule]
    next_cursor: str | None


class SlotQuery(BaseModel):
    """Which lines of the ledger, and which page of them."""

    fate: list[Fate] = Field([], max_length=5)
    since: Moment | None = Field(None, description="Slots then or later")
    until: Moment | None = Field(None, description="Slots then or before")
    run_state: list[RunState] = Field([], max_length=7, description="Whose run is in any of these states")
    limit: int = Field(100, ge=1, le=1_000)
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the page before; the filters stay")


class SlotPage(Shown):
    """Lines of the ledger, the newest slot first."""

    items: list[Slot]
    next_cursor: str | None


class Upcoming(Shown):
    """A slot to come."""

    slot_at: Instant
    due_at: Instant


class Preview(Shown):
    """Slots to come, if nothing changes."""

    items: list[Upcoming]


class Triggered(Shown):
    """A slot that fired because somebody asked."""

    slot_at: Instant
    run_id: UUID | None


class Skipping(Shown):
    """The slot that will pass."""

    slot_at: Instant


class Backfilled(Shown):
    """What was made up for, or would be."""

    dry_run: bool
    slots: int = Field(description="In the span")
    fired_before: int = Field(description="Of them: fired already, and left alone")
    backfilled: int
    skipped_overlap: int = Field(description="Left as they are, for they would meet a run")
    first: list[Instant] = Field(description="The first hundred that were made up for")


class AskedOfSchedule(Shown):
    """A request and what became of it."""

    request_id: UUID
    schedule_id: str
    control: str
    requested_at: Instant
    state: Literal["waiting", "answered", "void"] = Field(description="void: nobody took it up within a day")
    answered_at: Instant | None
    status: int | None = Field(description="As the answer would have had")
    detail: str | None
    errors: dict[str, str] | None
    result: dict[str, Any] | None


class AuditQuery(BaseModel):
    """Whose ledger, since when."""

    schedule_id: list[Annotated[str, Field(pattern=SCHEDULE_ID)]] = Field([], max_length=100)
    since: Moment | None = Field(None, description="Slots then or later; else since the beginning")
    limit: int = Field(200, ge=1, le=1_000, description="Schedules on a page")
    cursor: str | None = Field(None, pattern=SCHEDULE_ID, description="`next_cursor` of the page before")


class AuditFinding(Shown):
    """A slot without a line, a run that stands for two slots, or a line that is no slot of the schedule's."""

    what: Literal["gap", "double", "stranger"]
    slot_at: Instant


class ScheduleAudit(Shown):
    """One schedule's ledger, held to the slots that there should be."""

    schedule_id: str
    deleted: bool
    lines: int
    expected: int
    gaps: int
    doubles: int
    strangers: int
    findings: list[AuditFinding] = Field(description="The first hundred")
    fault: str | None = Field(description="Why it could not be audited")


class AuditReport(Shown):
    """The ledger held to the arithmetic. Only schedules with findings are listed."""

    as_of: Instant
    clean: bool
    schedules: int
    lines: int
    expected: int
    gaps: int
    doubles: int
    strangers: int
    items: list[ScheduleAudit]
    next_cursor: str | None
