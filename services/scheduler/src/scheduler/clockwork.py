"""Firing what is due: the slot's line, its event and the schedule's next instant are one transaction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.database import DATABASE_ERRORS
from common.events import ScheduleDue
from common.ids import new_id
from common.logs import get_logger
from common.messaging.outbox import Outbox
from common.messaging.wakeup import Wakeup
from common.settings import DatabaseSettings
from common.slots import Interval
from common.telemetry import continued, tracing
from scheduler.domain.fates import Fate, Rules, Situation, decide
from scheduler.stores import schedules
from scheduler.stores.schedules import CHANNEL, DecidedSlot, DueSchedule

log = get_logger(__name__)

LONGEST_SLEEP_SECONDS = 5.0
"""A backstop: schedules that change wake the clockwork by NOTIFY."""
RETRY_SECONDS = 1.0
HELD_SECONDS = 0.1
"""Between two looks at a slot that has come and is in another replica's hands."""
JUST_COME_SECONDS = 0.005
"""The same for a slot that came a moment ago, most likely since we looked: it must not be late for our asking twice."""
SLOTS_AT_ONCE = 1_000
"""Slots of one schedule in one transaction: a year's outage of a schedule by the second is 31 million."""


class Clockwork:
    """Fires the slots of all schedules. Any number may run side by side; the database deals the slots out."""

    def __init__(self, engine: AsyncEngine, outbox: Outbox, database: DatabaseSettings) -> None:
        self.decided = 0
        self._engine = engine
        self._outbox = outbox
        self._database = database

    async def run(self) -> None:
        """Fire what is due until cancelled, through restarts of the database."""
        while True:
            try:
                async with self._listening() as wakeup:
                    while True:
                        while await self.tick():
                            pass
                        await wakeup.wait(await self._sleep())
            except (SQLAlchemyError, *DATABASE_ERRORS, OSError) as error:
                log.warning("clockwork interrupted", error=f"{type(error).__name__}: {error}"[:300])
                await asyncio.sleep(RETRY_SECONDS)

    async def tick(self) -> int:
        """Decide every slot that has come due, and return how many schedules had one."""
        with tracing(continued(None, None)):
            async with self._engine.begin() as connection:
                due, unreadable = await schedules.claim_due(connection)
                for schedule in due:
                    await self._fire(connection, schedule)
                for schedule_id, fault in unreadable.items():
                    log.error("schedule paused", schedule_id=schedule_id, fault=fault)
                    await schedules.pause(connection, schedule_id, note=f"paused: {fault}")
        return len(due) + len(unreadable)

    async def _fire(self, connection: AsyncConnection, schedule: DueSchedule) -> None:
        definition = schedule.definition
        fates, next_due_at = _plan(schedule)
        decided = [
            DecidedSlot(
                schedule_id=definition.schedule_id,
                slot_at=slot,
                fate=fate,
                decided_at=schedule.now,
                run_id=new_id() if fate == "fired" and definition.action == "ingest" else None,
            )
            for slot, fate in fates
        ]
        recorded = await schedules.record(connection, decided)
        await schedules.move_on(connection, definition.schedule_id, next_due_at)
        fired = [slot for slot in decided if slot.fate == "fired" and slot.slot_at in recorded]
        await self._outbox.write(connection, [_due(schedule, slot) for slot in fired])
        self.decided += len(recorded)

    async def _sleep(self) -> float:
        async with self._engine.connect() as connection:
            seconds = await schedules.seconds_to_next(connection)
        if seconds is None:
            return LONGEST_SLEEP_SECONDS
        if seconds > 0:
            return min(seconds, LONGEST_SLEEP_SECONDS)
        return JUST_COME_SECONDS if seconds > -HELD_SECONDS else HELD_SECONDS

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[Wakeup]:
        connection = await asyncpg.connect(
            self._database.dsn(), timeout=5, server_settings={"application_name": "freeport-scheduler-clock"}
        )
        try:
            wakeup = Wakeup(connection, CHANNEL)
            await wakeup.listen()
            yield wakeup
        finally:
            connection.terminate()


def _plan(schedule: DueSchedule) -> tuple[list[tuple[datetime, Fate]], datetime]:
    """The fate of each slot that has come, and when the next one does."""
    definition, timing = schedule.definition, schedule.definition.timing
    if isinstance(timing, Interval):
        slots = timing.between(schedule.next_due_at, schedule.now, at_most=SLOTS_AT_ONCE)
        next_due_at = timing.after(slots[-1] if slots else schedule.now)
        newer_to_come = next_due_at <= schedule.now
        at = Situation(schedule.now, busy=schedule.busy, newer_to_come=newer_to_come)
        return decide([(slot, slot) for slot in slots], Rules(definition.overlap), at).fates, next_due_at
    due = [(schedule.next_due_at, schedule.next_due_at)]
    fates = decide(due, Rules(definition.overlap), Situation(schedule.now, busy=schedule.busy)).fates
    fired_at = schedule.now if fates[-1][1] == "fired" else schedule.fired_at
    return fates, timing.after(schedule.now, fired_at=fired_at, fresh_until=schedule.fresh_until)


def _due(schedule: DueSchedule, slot: DecidedSlot) -> ScheduleDue:
    definition = schedule.definition
    return ScheduleDue(
        schedule_id=slot.schedule_id,
        slot_at=slot.slot_at,
        action="ingest" if definition.action == "ingest" else "reconcile",
        run_id=slot.run_id,
        dataset=definition.dataset,
        scope=definition.scope,
    )
