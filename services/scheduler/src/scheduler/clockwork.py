"""Firing what is due: the slot's line, its event and the schedule's next instant are one transaction."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.events import ScheduleDue
from common.ids import new_id
from common.logs import get_logger
from common.messaging.outbox import Outbox
from common.messaging.wakeup import Wakeup
from common.settings import DatabaseSettings
from common.telemetry import continued, tracing
from scheduler.domain.fates import decide
from scheduler.stores import schedules
from scheduler.stores.schedules import CHANNEL, DecidedSlot, DueSchedule

log = get_logger(__name__)

LONGEST_SLEEP_SECONDS = 5.0
"""A backstop: schedules that change wake the clockwork by NOTIFY."""
RETRY_SECONDS = 1.0


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
            except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                log.warning("clockwork interrupted", error=f"{type(error).__name__}: {error}"[:300])
                await asyncio.sleep(RETRY_SECONDS)

    async def tick(self) -> int:
        """Decide every slot that has come due, and return how many schedules had one."""
        with tracing(continued(None, None)):
            async with self._engine.begin() as connection:
                due = await schedules.claim_due(connection)
                for schedule in due:
                    await self._fire(connection, schedule)
        return len(due)

    async def _fire(self, connection: AsyncConnection, schedule: DueSchedule) -> None:
        definition = schedule.definition
        slots = definition.interval.between(schedule.next_due_at, schedule.now)
        fates = decide(slots, overlap=definition.overlap, busy=schedule.busy)
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
        await schedules.record(connection, decided)
        await schedules.move_on(connection, definition.schedule_id, definition.interval.after(schedule.now))
        await self._outbox.write(connection, [_due(schedule, slot) for slot in decided if slot.fate == "fired"])
        self.decided += len(decided)

    async def _sleep(self) -> float:
        async with self._engine.connect() as connection:
            seconds = await schedules.seconds_to_next(connection)
        return LONGEST_SLEEP_SECONDS if seconds is None else min(max(seconds, 0.0), LONGEST_SLEEP_SECONDS)

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
