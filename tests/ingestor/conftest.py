from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from support.ingestion import Ingestion, ingestion
from support.simulated_esi import SimulatedEsi, running_simulator

MARKET = {"ESI_SIM_FORGE_CONTRACTS": "1100", "ESI_SIM_HUB_CONTRACTS": "60", "ESI_SIM_CLOCK_SPEED": "0"}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedEsi]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), **MARKET) as esi:
        esi.control("freeze", frozen=True)
        yield esi


@pytest.fixture
def esi(running: SimulatedEsi) -> Iterator[SimulatedEsi]:
    """A simulator whose time and market stand still but for what the test does; without faults or spent errors."""
    yield running
    running.control("faults", clear=True)
    running.control("clock", advance=61)


@pytest.fixture
async def ingestor(engine: AsyncEngine, esi: SimulatedEsi) -> AsyncIterator[Ingestion]:
    """The ingestor's handlers with the simulator upstream."""
    async with ingestion(engine, esi.url) as found:
        yield found


@pytest.fixture
async def offline(engine: AsyncEngine) -> AsyncIterator[Ingestion]:
    """The ingestor's handlers without any upstream."""
    async with ingestion(engine) as found:
        yield found
