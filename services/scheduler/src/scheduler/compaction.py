"""What is old of the ledger is kept cheaply: slots that fired and went well become ranges."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.database import DATABASE_ERRORS
from common.logs import get_logger
from common.slots import EPOCH, Old, fold
from scheduler.stores import ranges

log = get_logger(__name__)

FIRST_SECONDS = 60.0
EVERY_SECONDS = 3_600.0
LINES = 500
"""In one transaction. Slots are decided by the same loop, and must not be late for this."""
BREATH_SECONDS = 0.05
SCHEDULES = 500


class Compaction:
    """Folds the lines of slots older than `retention`, a few in a transaction; of several replicas one at a time."""

    def __init__(self, engine: AsyncEngine, retention: timedelta, *, lines: int = LINES) -> None:
        self._engine = engine
        self._retention = retention
        self._lines = lines

    async def run(self) -> None:
        """Fold what is old, seldom, until cancelled."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                folded = await self.once()
            except (SQLAlchemyError, *DATABASE_ERRORS, OSError) as error:
                log.warning("compaction interrupted", error=f"{type(error).__name__}: {error}"[:300])
            else:
                log.info("ledger compacted", lines=folded)
            await asyncio.sleep(EVERY_SECONDS)

    async def once(self) -> int:
        """Fold everything that is old now, and return how many lines that were."""
        async with self._engine.connect() as connection:
            before = await ranges.cutoff(connection, self._retention)
        folded, after = 0, ""
        while True:
            async with self._engine.connect() as connection:
                schedules = await ranges.with_old(connection, before, after=after, most=SCHEDULES)
            for schedule_id in schedules:
                folded += await self._compact(schedule_id, before)
            if len(schedules) < SCHEDULES:
                return folded
            after = schedules[-1]

    async def _compact(self, schedule_id: str, before: datetime) -> int:
        """One schedule's. Where what governed its slots cannot be read any more, they stay."""
        folded, after = 0, EPOCH
        try:
            while True:
                async with self._engine.begin() as connection:
                    lines, slots = await self._fold(connection, schedule_id, after=after, before=before)
                folded += slots
                if len(lines) < self._lines:
                    break
                after = lines[-1].slot_at
                await asyncio.sleep(BREATH_SECONDS)
        except (ValueError, LookupError, msgspec.MsgspecError) as error:
            log.warning("ledger not compacted", schedule_id=schedule_id, error=str(error))
        return folded

    async def _fold(
        self, connection: AsyncConnection, schedule_id: str, *, after: datetime, before: datetime
    ) -> tuple[Sequence[Old], int]:
        """Fold the next lines and return them all, and of how many a range is made.

        They go on with the last range if nothing stands between; that may have become longer by another replica's work.
        """
        if not await ranges.ours(connection):
            return (), 0
        last = await ranges.last(connection, schedule_id)
        onto = last if last is not None and last.last >= after else None
        lines = await ranges.old(
            connection, schedule_id, after=onto.last if onto else after, before=before, most=self._lines
        )
        done = fold(lines, await ranges.governed(connection, schedule_id), onto=onto)
        if done.slots:
            await ranges.keep(connection, schedule_id, done)
        return lines, len(done.slots)
