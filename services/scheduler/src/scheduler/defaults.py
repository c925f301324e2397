"""The schedules a new installation begins with."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, Scope
from common.logs import get_logger
from scheduler.domain.intervals import Interval, first_now
from scheduler.settings import SchedulerSettings
from scheduler.stores import schedules
from scheduler.stores.schedules import Definition

log = get_logger(__name__)

DAY = timedelta(days=1)
AFTER_DOWNTIME = timedelta(hours=11, minutes=20)
"""UTC. The game's daily downtime begins at 11:00, and its static data change then if at all."""


async def define(engine: AsyncEngine, settings: SchedulerSettings) -> None:
    """Add the default schedules that do not exist; what an operator changed stays changed."""
    async with engine.begin() as connection:
        moment = await schedules.now(connection)
        for definition in defaults(settings, moment):
            first = definition.interval.at_or_after(moment.replace(microsecond=0))
            if await schedules.add(connection, definition, first=first):
                log.info("schedule added", schedule_id=definition.schedule_id, first=first.isoformat())


def defaults(settings: SchedulerSettings, moment: datetime) -> list[Definition]:
    """A sweep for each region, the universe once a day, and the look at what was left unfinished."""
    sweep = first_now(timedelta(seconds=settings.sweep_interval), moment)
    reconcile = first_now(timedelta(seconds=settings.reconcile_interval), moment)
    return [
        *(
            Definition(
                schedule_id=f"contracts:{region_id}",
                name=f"Sweep of region {region_id}",
                interval=sweep,
                action="ingest",
                overlap="skip",
                dataset=Dataset.CONTRACTS,
                scope=Scope(region_id=region_id),
            )
            for region_id in settings.region_ids
        ),
        Definition(
            schedule_id="universe:all",
            name="What CCP added to the game",
            interval=Interval(DAY, AFTER_DOWNTIME),
            action="ingest",
            overlap="skip",
            dataset=Dataset.UNIVERSE,
        ),
        Definition(
            schedule_id="reconcile",
            name="Accepted and not finished",
            interval=reconcile,
            action="reconcile",
            overlap="allow_all",
        ),
    ]
