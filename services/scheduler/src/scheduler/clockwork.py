"""Firing what is due: the slot's line, its event and the schedule's next instant are one transaction.

So are a timer's end and its event.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import DATABASE_ERRORS
from common.logs import get_logger
from common.messaging.outbox import Outbox
from common.messaging.wakeup import CLOCKWORK, Wakeup
from common.settings import DatabaseSettings
from common.telemetry import continued, tracing
from scheduler import firing
from scheduler.controls import Controls
from scheduler.stores import claiming, schedules, timers
from scheduler.stores.claiming import Ahead

log = get_logger(__name__)

LONGEST_SLEEP_SECONDS = 5.0
"""A backstop: schedules and timers that change wake the clockwork by NOTIFY."""
RETRY_SECONDS = 1.0
WAITING_SECONDS = 1.0
"""Between two looks whether the run is over that a slot waits for: its end wakes us, unless the message is lost."""
HELD_SECONDS = 0.1
"""Between two looks at a slot that has come and is in another replica's hands."""
JUST_COME_SECONDS = 0.005
"""The same for a slot that came a moment ago, most likely since we looked: it must not be late for our asking twice."""
SIDE_BY_SIDE = 2
"""Transactions of one replica at once, while more is due than one of them takes."""
TICKS_IN_A_ROW = 12
"""Before somebody's request and timers have their turn: half a second, measured."""
TOGETHER_SECONDS = 0.05
"""Slots that come this soon after one another are decided together: a transaction costs more than a slot."""


class Clockwork:
    """Fires the slots of all schedules, and timers. Any number may run side by side; the database deals them out."""

    def __init__(self, engine: AsyncEngine, outbox: Outbox, database: DatabaseSettings) -> None:
        self.decided = 0
        self.reminded = 0
        self._engine = engine
        self._outbox = outbox
        self._database = database
        self._controls = Controls(engine, outbox)

    async def run(self) -> None:
        """Fire what is due until cancelled, through restarts of the database."""
        while True:
            try:
                async with self._listening() as wakeup:
                    while True:
                        await wakeup.wait(await self.turn())
            except (SQLAlchemyError, *DATABASE_ERRORS, OSError) as error:
                log.warning("clockwork interrupted", error=f"{type(error).__name__}: {error}"[:300])
                await asyncio.sleep(RETRY_SECONDS)

    async def turn(self) -> float:
        """Do what there is to do now, and return for how many seconds there is nothing more."""
        async with self._engine.connect() as connection:
            ahead = await claiming.look_ahead(connection)
        answered = await self._controls.apply() if ahead.asked else 0
        decided = await self._decide(ahead) if ahead.waiting or ahead.slot_is_due else 0
        reminded = await self.remind() if ahead.timer_is_due else 0
        if answered or decided or reminded:
            return 0 if answered or decided >= claiming.BATCH else TOGETHER_SECONDS
        return _pause(ahead)

    async def _decide(self, ahead: Ahead) -> int:
        """Decide what has come due; of a crowd side by side, so that neither the database nor we wait for the other."""
        if not ahead.crowded:
            return await self.tick(waiting=ahead.waiting)
        lanes = [self._some_ticks(waiting=ahead.waiting) for _ in range(SIDE_BY_SIDE)]
        done = await asyncio.gather(*lanes, return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                raise each
        return sum(each for each in done if isinstance(each, int))

    async def _some_ticks(self, *, waiting: bool) -> int:
        done = 0
        for _ in range(TICKS_IN_A_ROW):
            decided = await self.tick(waiting=waiting)
            done += decided
            if decided < claiming.BATCH:
                break
        return done

    async def tick(self, *, waiting: bool = True) -> int:
        """Decide a batch of what has come due, and return how many schedules had something to decide.

        So are slots that waited for a run which is over, unless it is known that none is `waiting`.
        """
        with tracing(continued(None, None)):
            async with self._engine.begin() as connection:
                released = await claiming.claim_released(connection) if waiting else []
                self.decided += await firing.release(connection, self._outbox, released)
                due, unreadable = await claiming.claim_due(connection)
                self.decided += await firing.decide(connection, self._outbox, due)
                for schedule_id, fault in unreadable.items():
                    log.error("schedule paused", schedule_id=schedule_id, fault=fault)
                    await schedules.set_aside(connection, schedule_id, fault=fault)
        return len(released) + len(due) + len(unreadable)

    async def remind(self) -> int:
        """Fire the timers that are due, and return how many datasets were told."""
        with tracing(continued(None, None)):
            async with self._engine.begin() as connection:
                told = await firing.remind(connection, self._outbox, await timers.take(connection))
        self.reminded += told
        return told

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[Wakeup]:
        connection = await asyncpg.connect(
            self._database.dsn(), timeout=5, server_settings={"application_name": "freeport-scheduler-clock"}
        )
        try:
            wakeup = Wakeup(connection, CLOCKWORK)
            await wakeup.listen()
            yield wakeup
        finally:
            connection.terminate()


def _pause(ahead: Ahead) -> float:
    """How long to sleep when nothing could be done: what has come, or is asked, is in another replica's hands."""
    longest = WAITING_SECONDS if ahead.waiting else LONGEST_SLEEP_SECONDS
    if ahead.asked:
        longest = HELD_SECONDS
    if ahead.seconds is None:
        return longest
    if ahead.seconds > 0:
        return min(ahead.seconds, longest)
    return JUST_COME_SECONDS if ahead.seconds > -HELD_SECONDS else HELD_SECONDS
