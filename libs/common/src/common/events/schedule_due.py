from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta

from common.events.base import Event, Topic
from common.events.ingest_requested import Dataset, Scope


class ScheduleDue(Event, frozen=True, kw_only=True):
    """A slot of a schedule has come, or work that was put off has come due: it is to be done now."""

    topic: ClassVar = Topic.SCHEDULES_DUE
    type: ClassVar = "freeport.schedule.due.v1"

    schedule_id: Annotated[str, Meta(min_length=1, max_length=200)]
    slot_at: datetime
    action: Annotated[
        Literal["ingest", "reconcile"],
        Meta(description="ingest: read a dataset anew; reconcile: take up what was accepted but never finished"),
    ]
    run_id: Annotated[UUID | None, Meta(description="The run that the slot causes, where it causes one")] = None
    dataset: Annotated[
        Dataset | None, Meta(description="What is to be read, or of what is to be taken up what was put off")
    ] = None
    scope: Scope = Scope()

    @property
    def key(self) -> str:
        return self.schedule_id
