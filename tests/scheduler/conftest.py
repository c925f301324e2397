from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import create_engine
from support.databases import as_service, settings_for


@pytest.fixture
async def acting(database_url: str) -> AsyncIterator[AsyncEngine]:
    """The test's database by the rights of the scheduler's role; tests look and arrange as its owner."""
    engine = create_engine(settings_for(as_service(database_url, "scheduler")), service="scheduler")
    yield engine
    await engine.dispose()
