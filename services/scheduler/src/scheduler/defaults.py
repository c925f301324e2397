"""The schedules a new installation begins with."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, Scope
from common.logs import get_logger
from common.slots import Definition, first_now, slots_of
from scheduler import fitting
from scheduler.settings import SchedulerSettings
from scheduler.stores import schedules

log = get_logger(__name__)

DAY = 86_400
AFTER_DOWNTIME = 11 * 3600 + 20 * 60
"""11:20 UTC. The game's daily downtime begins at 11:00, and its static data change then if at all."""

PRICES = 300
"""How long ESI caches a region's market orders (Cache-Control of /markets/{region_id}/orders)."""
LONGEST_SWEEP_PAUSE = 3600
"""Whatever upstream says: its lists of contracts are cached for half an hour."""


async def define(engine: AsyncEngine, settings: SchedulerSettings) -> None:
    """Add the default schedules that do not exist; what an operator changed or deleted stays so."""
    async with engine.begin() as connection:
        moment = await schedules.now(connection)
        for schedule_id, definition in defaults(settings, moment).items():
            first = _first_slot(definition, moment.replace(microsecond=0))
            if await schedules.add(connection, schedule_id, definition, first=first):
                log.info("schedule added", schedule_id=schedule_id, first=first.isoformat())
        await fitting.warn(connection)


def defaults(settings: SchedulerSettings, moment: datetime) -> dict[str, Definition]:
    """A sweep for each region, prices, the universe once a day, and the look at what was left unfinished."""
    fallback = settings.sweep_interval
    sweeps = {
        f"contracts:{region_id}": Definition(
            name=f"Sweep of region {region_id}",
            kind="upstream",
            every_seconds=fallback,
            min_seconds=min(settings.upstream_min_interval, fallback),
            max_seconds=max(LONGEST_SWEEP_PAUSE, fallback),
            dataset=Dataset.CONTRACTS,
            scope=Scope(region_id=region_id),
        )
        for region_id in settings.region_ids
    }
    return {
        **sweeps,
        "prices:all": Definition(
            name="What types are worth",
            kind="interval",
            every_seconds=PRICES,
            offset_seconds=_offset(PRICES, moment),
            dataset=Dataset.PRICES,
        ),
        "universe:all": Definition(
            name="What CCP added to the game",
            kind="interval",
            every_seconds=DAY,
            offset_seconds=AFTER_DOWNTIME,
            dataset=Dataset.UNIVERSE,
        ),
        "reconcile": Definition(
            name="Accepted and not finished",
            kind="interval",
            every_seconds=settings.reconcile_interval,
            offset_seconds=_offset(settings.reconcile_interval, moment),
            action="reconcile",
            overlap="allow_all",
        ),
    }


def _offset(every: int, moment: datetime) -> int:
    """Such that the second of `moment` is a slot: a new schedule acts at once."""
    return int(first_now(timedelta(seconds=every), moment).offset.total_seconds())


def _first_slot(definition: Definition, second: datetime) -> datetime:
    first = second if definition.kind == "upstream" else slots_of(definition).at_or_after(second)
    assert first is not None  # intervals without an end
    return first
