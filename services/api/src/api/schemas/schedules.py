from typing import Annotated, Any, Literal, Self, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.schemas.base import Instant, Shown
from api.schemas.runs import RunCounts, RunState
from api.schemas.schedule_definitions import SCHEDULE_ID, Action, Emission, Kind, Moment, Note, Overlap
from common.events import Dataset
from common.tables import FATES

Fate = Literal["fired", "skipped_overlap", "skipped_paused", "skipped_catchup", "backfilled"]
assert set(get_args(Fate)) == set(FATES)


class Forcing(BaseModel):
    """How it is asked for."""

    force: bool = Field(False, description="Also if the schedules then ask for more than upstream grants")  # noqa: FBT003


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
    force: bool = Field(False, strict=True, description="Also 10,000 slots or more, up to 100,000")  # noqa: FBT003

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
    event_id: UUID | None = Field(description="The ce_id of what it emitted; null where it emitted nothing")
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
    action: Action
    dataset: str | None
    scope: dict[str, int]
    emits: Emission = Field(description="What is published when a slot fires")
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


class SlotRange(Shown):
    """Old slots without a gap between them that all fired, and whose runs, if they caused any, all succeeded."""

    schedule_id: str
    from_slot: Instant = Field(description="The first of them")
    to_slot: Instant = Field(description="The last of them")
    slots: int
    runs: int
    worst_lateness_ms: int
    mean_lateness_ms: float


class SlotPage(Shown):
    """Lines of the ledger, the newest slot first, and the ranges between them."""

    items: list[Slot]
    ranges: list[SlotRange] = Field(description="Each has one place on the page, that of its last slot")
    next_cursor: str | None


class Upcoming(Shown):
    """A slot to come."""

    slot_at: Instant
    due_at: Instant
    passes: bool = Field(default=False, description="Without effect: the schedule is paused, or it is to be skipped")


class Preview(Shown):
    """Slots to come, if nothing changes."""

    items: list[Upcoming]


class Triggered(Shown):
    """A slot that fired because somebody asked."""

    slot_at: Instant
    run_id: UUID | None
    event_id: UUID = Field(description="The ce_id of what it emitted")


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
    """A slot without a line, one with two or a run that stands for two, or a line that is no slot of the schedule's."""

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
