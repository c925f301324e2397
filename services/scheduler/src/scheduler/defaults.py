"""The schedules a new installation begins with."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, Scope
from common.logs import get_logger
from common.slots import Interval, Upstream, first_now
from scheduler.settings import SchedulerSettings
from scheduler.stores import schedules
from scheduler.stores.schedules import Definition

log = get_logger(__name__)

DAY = timedelta(days=1)
AFTER_DOWNTIME = timedelta(hours=11, minutes=20)
"""UTC. The game's daily downtime begins at 11:00, and its static data change then if at all."""

PRICES = timedelta(minutes=5)
"""How long ESI caches a region's market orders (Cache-Control of /markets/{region_id}/orders)."""
LONGEST_SWEEP_PAUSE = timedelta(hours=1)
"""Whatever upstream says: its lists of contracts are cached for half an hour."""


async def define(engine: AsyncEngine, settings: SchedulerSettings) -> None:
    """Add the default schedules that do not exist; what an operator changed stays changed."""
    async with engine.begin() as connection:
        moment = await schedules.now(connection)
        for definition in defaults(settings, moment):
            first = _first_slot(definition, moment.replace(microsecond=0))
            if await schedules.add(connection, definition, first=first):
                log.info("schedule added", schedule_id=definition.schedule_id, first=first.isoformat())


def defaults(settings: SchedulerSettings, moment: datetime) -> list[Definition]:
    """A sweep for each region, prices, the universe once a day, and the look at what was left unfinished."""
    fallback = timedelta(seconds=settings.sweep_interval)
    floor = timedelta(seconds=settings.upstream_min_interval)
    sweep = Upstream(fallback, floor=min(floor, fallback), cap=max(LONGEST_SWEEP_PAUSE, fallback))
    reconcile = first_now(timedelta(seconds=settings.reconcile_interval), moment)
    return [
        *(
            Definition(
                schedule_id=f"contracts:{region_id}",
                name=f"Sweep of region {region_id}",
                timing=sweep,
                action="ingest",
                overlap="skip",
                dataset=Dataset.CONTRACTS,
                scope=Scope(region_id=region_id),
            )
            for region_id in settings.region_ids
        ),
        Definition(
            schedule_id="prices:all",
            name="What types are worth",
            timing=first_now(PRICES, moment),
            action="ingest",
            overlap="skip",
            dataset=Dataset.PRICES,
        ),
        Definition(
            schedule_id="universe:all",
            name="What CCP added to the game",
            timing=Interval(DAY, AFTER_DOWNTIME),
            action="ingest",
            overlap="skip",
            dataset=Dataset.UNIVERSE,
        ),
        Definition(
            schedule_id="reconcile",
            name="Accepted and not finished",
            timing=reconcile,
            action="reconcile",
            overlap="allow_all",
        ),
    ]


def _first_slot(definition: Definition, second: datetime) -> datetime:
    timing = definition.timing
    return timing.at_or_after(second) if isinstance(timing, Interval) else second
