"""The scheduler: keeps the ledger of slots and emits an event for each that fires. Start here."""

import asyncio
import gc
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from common import service
from common.database import create_engine
from common.heartbeat import Heartbeat
from common.logs import configure, get_logger
from common.messaging.consuming import Consumers, Subscription
from common.messaging.outbox import Outbox
from common.messaging.relay import Relay
from common.settings import read_settings
from scheduler import defaults
from scheduler.clockwork import Clockwork
from scheduler.compaction import Compaction
from scheduler.handlers.run_told import RunTold, run_told
from scheduler.settings import SchedulerSettings

log = get_logger(__name__)

NAME = "scheduler"
FROZEN_AFTER = "5s"
"""Its transactions take a moment: what a frozen replica holds must soon be another's to fire."""
TOLD_WITHIN_MS = 500
"""What a run tells is of a slot to come, in seconds at the soonest."""

YOUNG_OBJECTS = 50_000
"""Between two looks of the collector. Slots make no cycles, and looking for some took a fifth of deciding them."""


async def serve() -> None:
    """Build everything, join it, and fire slots until stopped."""
    settings = read_settings(SchedulerSettings)
    configure(settings, service=NAME)
    engine = create_engine(settings, service=NAME, frozen_after=FROZEN_AFTER)
    outbox = Outbox(NAME)
    clockwork = Clockwork(engine, outbox, settings)
    compaction = Compaction(engine, timedelta(days=settings.slot_retention_days))
    relay = Relay(NAME, settings, settings)
    told = Subscription(RunTold, run_told, fetch_wait_ms=TOLD_WITHIN_MS)
    consumers = Consumers([told], engine=engine, outbox=outbox, kafka=settings)
    heartbeat = Heartbeat(
        engine,
        NAME,
        lambda: {
            "consumers": consumers.progress(),
            "slots": {"decided": clockwork.decided},
            "timers": {"fired": clockwork.reminded},
            "relay": {"sent": relay.sent},
        },
    )
    try:
        await define_schedules(engine, settings)
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, 10, 10)
        await service.together(clockwork.run(), compaction.run(), consumers.run(), relay.run(), heartbeat.run())
    finally:
        await engine.dispose()


async def define_schedules(engine: AsyncEngine, settings: SchedulerSettings) -> None:
    """Add the default schedules; waits for the database and its schema."""
    while True:
        try:
            await defaults.define(engine, settings)
        except (SQLAlchemyError, OSError) as error:
            log.warning("waiting for the database", error=f"{type(error).__name__}: {error}"[:200])
            await asyncio.sleep(1)
        else:
            return


def main() -> None:
    service.run(serve)
