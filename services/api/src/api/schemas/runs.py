from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.base import BIGINT, Instant, Shown
from common.events import Dataset


class RunState(StrEnum):
    """Where a run is in its life: queued, running, or one of five ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class CommandScope(BaseModel):
    """The part of a dataset that is meant, by one of these. For items without any: all that is due by itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    region_id: int | None = Field(
        None, ge=1, le=BIGINT, description="A region: required for contracts, may be for items"
    )
    contract_id: int | None = Field(None, ge=1, le=BIGINT, description="items: one contract, live or gone")
    below_version: int | None = Field(
        None, ge=1, le=2**15 - 1, description="items: live contracts that rules older than this version have summarised"
    )


class IngestCommand(BaseModel):
    """What is to be read from upstream."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"dataset": "contracts", "scope": {"region_id": 10000002}, "force": False}]},
    )

    dataset: Dataset
    scope: CommandScope = CommandScope()
    force: bool = Field(False, strict=True, description="Read upstream even when nothing there can be newer yet")  # noqa: FBT003


class RunScope(Shown):
    """The part of a dataset that was meant."""

    region_id: int | None = Field(None, description="Absent, like the others, unless it is what was meant")
    contract_id: int | None = None
    below_version: int | None = None


class RunCounts(Shown):
    """What it saw and did: `fetched = listed + changed + unchanged + rejected`."""

    fetched: int
    listed: int
    changed: int
    unchanged: int
    rejected: int
    delisted: int
    items_wanted: int
    items_done: int
    items_failed: int
    upstream_requests: int
    upstream_bytes: int


class Run(Shown):
    """One reading of a dataset from upstream."""

    run_id: UUID
    dataset: str
    scope: RunScope
    force: bool
    source: Literal["api", "schedule", "kafka", "ingestor"] = Field(description="Who asked for it")
    state: RunState
    reason: str | None = Field(description="Why it failed, was skipped, or is only partial")
    attempts: int
    counts: RunCounts
    accepted_at: Instant
    started_at: Instant | None
    listed_at: Instant | None = Field(description="When the list was read and stored; items may still be on their way")
    finished_at: Instant | None
    schedule_id: str | None = Field(description="The schedule that caused it")
    slot_at: Instant | None = Field(description="The slot of that schedule")


class RunQuery(BaseModel):
    """Which runs, and which page of them."""

    state: list[RunState] = Field([], max_length=10, description="In any of these states")
    dataset: list[Dataset] = Field([], max_length=10, description="Of any of these datasets")
    limit: int = Field(50, ge=1, le=200, description="Runs on a page, at most")
    cursor: str | None = Field(
        None, max_length=200, description="`next_cursor` of the page before; the filters stay the same"
    )


class RunPage(Shown):
    """Runs, the newest first."""

    items: list[Run]
    next_cursor: str | None = Field(description="Asks for what follows; null on the last page")
