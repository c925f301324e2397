"""The ingestor: consumes commands, reads ESI, writes the market. Start here."""

import asyncio
import gc
from datetime import timedelta

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from common import service
from common.database import create_engine
from common.events import Dataset, IngestRequested, ItemsWanted, ScheduleDue
from common.heartbeat import Heartbeat
from common.logs import configure, get_logger
from common.messaging.consuming import Consumers, Subscription
from common.messaging.outbox import Outbox
from common.messaging.relay import Relay
from common.settings import read_settings
from ingestor import frozen, horizon
from ingestor.datasets import Backlog, Ingredients, discover
from ingestor.enrichment import Enrichment
from ingestor.esi.cache import ResponseCache
from ingestor.esi.client import EsiClient
from ingestor.esi.governor import Governor
from ingestor.esi.limits import SharedLimits
from ingestor.handlers.ingest_requested import IngestRequestedHandler
from ingestor.handlers.items_wanted import ItemsWantedHandler
from ingestor.handlers.schedule_due import ScheduleDueHandler
from ingestor.memory import give_back_what_is_free
from ingestor.settings import IngestorSettings
from ingestor.stores import indexing, universe
from ingestor.stores.items import ItemStore
from ingestor.stores.runs import RunStore

log = get_logger(__name__)

NAME = "ingestor"


async def serve() -> None:
    """Build everything, join it, and consume until stopped."""
    settings = read_settings(IngestorSettings)
    configure(settings, service=NAME)
    engine = create_engine(settings, service=NAME)
    outbox = Outbox(NAME)
    runs = RunStore(outbox)
    relay = Relay(NAME, settings, settings)
    governor = Governor(settings.esi_concurrency)
    limits = SharedLimits(governor, settings)
    async with EsiClient(settings, governor) as esi:
        enrichment = Enrichment(engine, esi, ItemStore(outbox), runs)
        cache, retention = ResponseCache(engine, esi), timedelta(days=settings.retention_days)
        datasets = discover(Ingredients(engine, esi, outbox, cache, retention))
        backlogs = {name: dataset for name, dataset in datasets.items() if isinstance(dataset, Backlog)}
        carry_out = IngestRequestedHandler(datasets, enrichment, runs, governor.precedence)
        schedule_due = ScheduleDueHandler(backlogs, runs, outbox, governor.precedence)
        consumers = Consumers(
            [
                Subscription(IngestRequested, carry_out, batch=10, concurrency=5, only=is_sweep),
                Subscription(IngestRequested, carry_out, batch=5, concurrency=5, only=is_no_sweep, group="backlog"),
                Subscription(ScheduleDue, schedule_due, batch=20, only=is_slot_of_sweep),
                Subscription(ScheduleDue, schedule_due, batch=20, only=is_other_slot, group="backlog"),
                Subscription(ItemsWanted, ItemsWantedHandler(enrichment), batch=40, concurrency=6),
            ],
            engine=engine,
            outbox=outbox,
            kafka=settings,
        )
        heartbeat = Heartbeat(
            engine,
            NAME,
            lambda: {
                "consumers": consumers.progress(),
                "relay": {"sent": relay.sent},
                "upstream": msgspec.to_builtins(esi.health),
            },
        )
        try:
            await load_universe(engine)
            await indexing.catch_up(engine)
            gc.freeze()
            gc.set_threshold(50_000, 20, 20)
            await service.together(
                consumers.run(),
                relay.run(),
                limits.run(),
                heartbeat.run(),
                horizon.follow(engine),
                frozen.watch(engine),
            )
        finally:
            await engine.dispose()


def is_sweep(command: IngestRequested) -> bool:
    """Whether it discovers what is new; nothing else may hold that up."""
    return command.dataset is Dataset.CONTRACTS


def is_no_sweep(command: IngestRequested) -> bool:
    return not is_sweep(command)


def is_slot_of_sweep(slot: ScheduleDue) -> bool:
    return slot.dataset is Dataset.CONTRACTS


def is_other_slot(slot: ScheduleDue) -> bool:
    """Prices and the reconciliation among them, which look at many rows."""
    return not is_slot_of_sweep(slot)


async def load_universe(engine: AsyncEngine) -> None:
    """Load the packaged universe if this database has another one; waits for the database and its schema."""
    while True:
        try:
            async with engine.begin() as connection:
                loaded = await universe.load_packaged(connection)
        except (SQLAlchemyError, OSError) as error:
            log.warning("waiting for the database", error=f"{type(error).__name__}: {error}"[:200])
            await asyncio.sleep(1)
        else:
            if loaded:
                log.info("universe loaded")
            return


def main() -> None:
    give_back_what_is_free()
    service.run(serve)
