import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from common.settings import DatabaseSettings
from common.telemetry import merge_trace
from support.market_rows import MarketRows
from support.schedules import Schedules
from support.served_api import NOWHERE, HostedApi, ServedApi, api_settings, served
from support.working import at_work


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    """Lines as in production; the default draws every traceback with colours and locals, for seconds."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            merge_trace,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[ServedApi]:
    """The api on a database of its own, with New Eden in it and no market."""
    async with served(api_settings(database_url)) as api:
        yield api


@pytest.fixture
async def stranded() -> AsyncIterator[HostedApi]:
    """The api while no database is to be reached."""
    async with served(api_settings(f"postgresql://freeport@{NOWHERE}/freeport")) as api:
        yield api


@pytest.fixture
def rows(engine: AsyncEngine) -> MarketRows:
    return MarketRows(engine)


@pytest.fixture
def kept(engine: AsyncEngine) -> Schedules:
    return Schedules(engine)


@pytest.fixture
async def scheduler(engine: AsyncEngine, database: DatabaseSettings, rows: MarketRows) -> AsyncIterator[None]:
    """A clockwork on the api's database that is known to live."""
    await rows.beat("scheduler", seconds_ago=-3600)
    async with at_work(engine, database):
        yield


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
