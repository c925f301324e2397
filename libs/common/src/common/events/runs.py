"""The life of a run, told on one topic."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from common.events.base import Count, Event, Topic
from common.events.ingest_requested import Dataset, Scope

RunOutcome = Literal["succeeded", "partial", "failed", "cancelled", "skipped"]


class RunCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run saw and did: `fetched = listed + changed + unchanged + rejected`."""

    fetched: Count = 0
    listed: Count = 0
    changed: Count = 0
    unchanged: Count = 0
    rejected: Count = 0
    delisted: Count = 0
    items_wanted: Count = 0
    items_done: Count = 0
    items_failed: Count = 0
    upstream_requests: Count = 0
    upstream_bytes: Count = 0


class RunEvent(Event, frozen=True, kw_only=True):
    """Something happened to a run."""

    topic: ClassVar = Topic.RUNS

    run_id: UUID
    dataset: Dataset
    scope: Scope = Scope()

    @property
    def key(self) -> str:
        return str(self.run_id)


class RunAccepted(RunEvent, frozen=True, kw_only=True):
    """The command is a committed row: it will be carried out, whatever crashes."""

    type: ClassVar = "freeport.ingest.run.accepted.v1"


class RunStarted(RunEvent, frozen=True, kw_only=True):
    """An ingestor has taken the run up."""

    type: ClassVar = "freeport.ingest.run.started.v1"

    attempt: Annotated[int, Meta(ge=1)]


class RunProgressed(RunEvent, frozen=True, kw_only=True):
    """The list is read and stored; items are still to come."""

    type: ClassVar = "freeport.ingest.run.progressed.v1"

    counts: RunCounts
    fresh_until: Annotated[datetime | None, Meta(description="Upstream has nothing newer before this instant")] = None


class RunFinished(RunEvent, frozen=True, kw_only=True):
    """The run is over; nothing about it changes any more."""

    type: ClassVar = "freeport.ingest.run.finished.v1"

    state: RunOutcome
    counts: RunCounts
    reason: Annotated[str | None, Meta(description="Why it failed, was skipped, or is only partial")] = None
    fresh_until: Annotated[datetime | None, Meta(description="Upstream has nothing newer before this instant")] = None
