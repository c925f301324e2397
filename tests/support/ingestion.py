"""The ingestor's handlers in this process, on a real database and an upstream; messages travel by hand."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from pydantic import SecretStr
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common.database import create_engine
from common.errors import AlreadyHandledError
from common.events import Event, IngestRequested, ItemsWanted, ScheduleDue
from common.ids import new_id
from common.messaging.delivery import Delivery, handled
from common.messaging.outbox import Outbox
from common.telemetry import continued
from ingestor.datasets import Backlog, Ingredients, discover
from ingestor.domain.listing import Listing
from ingestor.enrichment import Enrichment
from ingestor.esi.cache import ResponseCache
from ingestor.esi.client import EsiClient, Traffic
from ingestor.esi.governor import Governor
from ingestor.esi.listing import ListReader, Memory
from ingestor.esi.models import PublicContract
from ingestor.handlers.ingest_requested import IngestRequestedHandler
from ingestor.handlers.items_wanted import ItemsWantedHandler
from ingestor.handlers.schedule_due import ScheduleDueHandler
from ingestor.settings import IngestorSettings
from ingestor.stores.contracts import ContractStore, Merged
from ingestor.stores.items import ItemStore
from ingestor.stores.runs import RunStore
from support.databases import as_service, settings_for

E = TypeVar("E", bound=Event)

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=10)
"""When upstream made a list, before the clock that decides what has expired."""
REGION = 10000002
REPEATS = 5
NOWHERE = "http://127.0.0.1:9"
RETENTION = timedelta(days=90)


def settings(url: str, *, timeout: float = 15.0, concurrency: int = 20) -> IngestorSettings:
    """The ingestor's settings for an upstream at `url`."""
    return IngestorSettings(
        database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"),
        kafka_bootstrap_servers="127.0.0.1:9",
        esi_base_url=url,
        esi_timeout=timeout,
        esi_user_agent="freeport-tests/1.0 (tests@example.com)",
        esi_concurrency=concurrency,
    )


@asynccontextmanager
async def client(url: str, *, timeout: float = 15.0) -> AsyncIterator[EsiClient]:  # noqa: ASYNC109 - ESI_TIMEOUT
    async with EsiClient(settings(url, timeout=timeout), Governor(20)) as esi:
        yield esi


class Ingestion:
    """Handlers and what they wrote. They act by their role's rights; tests look and arrange as the owner."""

    def __init__(self, engine: AsyncEngine, esi: EsiClient, *, owner: AsyncEngine | None = None) -> None:
        self.engine = engine
        self._owner = owner or engine
        self.esi = esi
        self.outbox = Outbox("ingestor")
        self.runs = RunStore(self.outbox)
        self._contracts = ContractStore(self.outbox)
        datasets = discover(Ingredients(engine, esi, self.outbox, ResponseCache(engine, esi), RETENTION))
        self.enrichment = Enrichment(engine, esi, ItemStore(self.outbox), self.runs)
        backlogs = {name: dataset for name, dataset in datasets.items() if isinstance(dataset, Backlog)}
        precedence = esi.governor.precedence
        self._handlers: dict[type[Event], Any] = {
            IngestRequested: IngestRequestedHandler(datasets, self.enrichment, self.runs, precedence),
            ItemsWanted: ItemsWantedHandler(self.enrichment),
            ScheduleDue: ScheduleDueHandler(backlogs, self.runs, self.outbox, precedence),
        }

    async def deliver(self, event: Event, *, times: int = 2, message_id: UUID | None = None) -> None:
        """Hand `event` over as consumers do: more often than once, under one id, unless it took effect before."""
        trace = continued(None, None)
        delivery = Delivery(message_id or new_id(), event, trace, "ingestor", self.engine)
        for _ in range(times):
            async with self.engine.connect() as connection:
                if await handled(connection, "ingestor", [delivery.id]):
                    return
            await self._handle(delivery)

    async def _handle(self, delivery: Delivery[Any]) -> None:
        """Consumers repeat what the database refuses for the moment, as the loser of a deadlock."""
        for _ in range(REPEATS):
            try:
                await self._handlers[type(delivery.event)](delivery)
            except AlreadyHandledError:
                return
            except (asyncpg.DeadlockDetectedError, DBAPIError) as error:
                if "deadlock" not in str(error):
                    raise
            else:
                return
        raise AssertionError("the database refuses it again and again")

    async def sent(self, kind: type[E]) -> list[E]:
        """Events of `kind` in the outbox, oldest first."""
        found = await self.rows("SELECT payload FROM outbox WHERE event_type = :type ORDER BY id", type=kind.type)
        return [msgspec.json.decode(row.payload, type=kind) for row in found]

    async def take(self, kind: type[E]) -> list[E]:
        """The same, and they leave the outbox as if they were relayed."""
        events = await self.sent(kind)
        await self.execute("DELETE FROM outbox WHERE event_type = :type", type=kind.type)
        return events

    async def merge(self, listing: Listing) -> Merged:
        """Merge a list under a run of its own."""
        async with self.engine.begin() as connection:
            return await self._contracts.merge(connection, listing, run_id=new_id())

    async def rows(self, query: str, **arguments: object) -> Sequence[Row[Any]]:
        async with self._owner.connect() as connection:
            return (await connection.execute(text(query), arguments)).all()

    async def row(self, query: str, **arguments: object) -> Row[Any]:
        (found,) = await self.rows(query, **arguments)
        return found

    async def value(self, query: str, **arguments: object) -> Any:
        return (await self.row(query, **arguments))[0]

    async def execute(self, statement: str, **arguments: object) -> None:
        async with self._owner.begin() as connection:
            await connection.execute(text(statement), arguments)

    async def run(self, run_id: UUID) -> Row[Any]:
        return await self.row("SELECT * FROM runs WHERE run_id = :run_id", run_id=run_id)


@asynccontextmanager
async def ingestion(engine: AsyncEngine, url: str = NOWHERE) -> AsyncIterator[Ingestion]:
    """The ingestor on the database of `engine`, which is its owner's."""
    own_url = as_service(engine.url.render_as_string(hide_password=False), "ingestor")
    acting = create_engine(settings_for(own_url), service="ingestor")
    try:
        async with client(url) as esi:
            yield Ingestion(acting, esi, owner=engine)
    finally:
        await acting.dispose()


def contract(contract_id: int, **fields: Any) -> PublicContract:
    """A row of a list: an exchange of 2026 unless `fields` say otherwise."""
    plain: dict[str, Any] = {
        "type": "item_exchange",
        "date_issued": NOON - timedelta(days=1),
        "date_expired": NOON + timedelta(days=27),
        "issuer_id": 90_000_000 + contract_id % 1000,
        "issuer_corporation_id": 98_000_001,
        "start_location_id": 60003760,
        "end_location_id": 60003760,
        "price": Decimal("1250000.5"),
        "volume": 0.01,
        "title": "",
    }
    return PublicContract(contract_id=contract_id, **{**plain, **fields})


def whole_list(
    *rows: PublicContract, at: datetime = NOON, flaw: str | None = None, rejected: int = 0, region_id: int = REGION
) -> Listing:
    """A region's list of the generation `at`."""
    ordered = tuple(sorted(rows, key=lambda row: row.contract_id))
    ids = frozenset(row.contract_id for row in ordered)
    return Listing(region_id, at, timedelta(minutes=10), 1, ordered, rejected, flaw, ids)


async def public_contracts(engine: AsyncEngine, esi: EsiClient, region_id: int, traffic: Traffic) -> Listing:
    """The region's list as a process reads it that remembers nothing."""
    return (await ListReader(engine, esi).read(region_id, Memory(), traffic)).listing


async def waits_for_a_lock(ingestor: Ingestion) -> None:
    """Until a session of this database waits for another one's lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while not await ingestor.value(waiting):  # noqa: ASYNC110 - rows of others
        await asyncio.sleep(0.01)
