"""A run tells until when upstream has nothing newer: that is when its schedule's next slot comes."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta

from common.events import Dataset, Event, RunOutcome, Scope, Topic
from common.logs import get_logger
from common.messaging.delivery import Delivery
from scheduler.stores.following import follow

log = get_logger(__name__)


class RunTold(Event, frozen=True, kw_only=True):
    """Any event of a run, as far as the scheduler reads it."""

    topic: ClassVar = Topic.RUNS
    type: ClassVar = "freeport.ingest.run"

    run_id: UUID
    dataset: Dataset
    scope: Scope = Scope()
    state: RunOutcome | None = None
    fresh_until: Annotated[datetime, Meta(tz=True)] | None = None

    @property
    def key(self) -> str:
        return str(self.run_id)


async def run_told(delivery: Delivery[RunTold]) -> None:
    """Move the slots of the run's dataset and scope, whoever asked for the run; what failed tells nothing."""
    told = delivery.event
    if told.fresh_until is None or told.state == "failed":
        return
    async with delivery.transaction() as connection:
        moved = await follow(connection, told.dataset, told.scope, told.fresh_until)
    for each in moved:
        log.info(
            "slot moved",
            schedule_id=each.schedule_id,
            slot_at=each.slot_at.isoformat(),
            before=each.before.isoformat(),
        )
