"""A run tells until when upstream has nothing newer: that is when its schedule's next slot comes."""

from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncConnection

from common.events import Dataset, Event, RunOutcome, Scope, Topic
from common.logs import get_logger
from common.messaging.delivery import Delivery
from scheduler.stores import schedules
from scheduler.stores.failures import failing, is_awaited
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
    """Move the slots of the run's dataset and scope, whoever asked for the run; what failed tells nothing.

    The end of a run may be one failure too many for the schedule that caused it, or what a slot waits for.
    """
    told = delivery.event
    moves = told.fresh_until is not None and told.state != "failed"
    if not moves and told.state is None:
        return
    async with delivery.transaction() as connection:
        moved = (
            await follow(connection, told.dataset, told.scope, told.fresh_until) if moves and told.fresh_until else []
        )
        await _ended(connection, told)
    for each in moved:
        log.info(
            "slot moved",
            schedule_id=each.schedule_id,
            slot_at=each.slot_at.isoformat(),
            before=each.before.isoformat(),
        )


async def _ended(connection: AsyncConnection, told: RunTold) -> None:
    if told.state == "failed":
        for schedule_id, count in (await failing(connection, told.run_id)).items():
            note = f"paused: its last {count} runs failed"
            log.warning("schedule paused", schedule_id=schedule_id, failures=count)
            await schedules.change(connection, schedule_id, paused=True, note=note)
    if await is_awaited(connection, told.run_id):
        await schedules.tell(connection)
