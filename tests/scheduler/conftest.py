from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import create_engine
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from scheduler.clockwork import Clockwork
from scheduler.controls import Controls
from support.databases import as_service, settings_for
from support.schedules import Schedules


@pytest.fixture
async def acting(database_url: str) -> AsyncIterator[AsyncEngine]:
    """The test's database by the rights of the scheduler's role; tests look and arrange as its owner."""
    engine = create_engine(settings_for(as_service(database_url, "scheduler")), service="scheduler")
    yield engine
    await engine.dispose()


@pytest.fixture
def kept(engine: AsyncEngine) -> Schedules:
    return Schedules(engine)


@pytest.fixture
def ticking(acting: AsyncEngine, database: DatabaseSettings) -> Clockwork:
    return Clockwork(acting, Outbox("scheduler"), database)


@pytest.fixture
def controls(acting: AsyncEngine) -> Controls:
    return Controls(acting, Outbox("scheduler"))
