"""All services as processes: one running stack that a module's tests share, or one of a test's own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.settings import KafkaSettings
from conftest import SMALL_MARKET, impatient, running_broker
from support.databases import Databases
from support.freeport import Freeport, eventually
from support.simulated_esi import SimulatedEsi, running_simulator

REGIONS = (10000002, 10000043)


@dataclass(frozen=True)
class World:
    """Freeport with everything around it. Its market stands still."""

    freeport: Freeport
    esi: SimulatedEsi
    kafka: KafkaSettings

    def load(self) -> None:
        """Start all services and wait until the market is loaded and served."""
        self.freeport.start("ingestor", "scheduler", "api")
        eventually(lambda: self.freeport.loaded(len(REGIONS)), what="the market is loaded")
        eventually(self.freeport.ready, what="the api is ready")


@contextmanager
def world(folder: Path, databases: Databases) -> Iterator[World]:
    with ExitStack() as stack:
        kafka = impatient(stack.enter_context(running_broker(folder)))
        esi = stack.enter_context(running_simulator(folder, **SMALL_MARKET))
        esi.control("freeze", frozen=True)
        freeport = Freeport(
            folder,
            database_url=stack.enter_context(databases.fresh("settled")),
            kafka=kafka,
            esi_url=esi.url,
            REGION_IDS=",".join(str(region_id) for region_id in REGIONS),
        )
        stack.callback(freeport.close)
        freeport.provision()
        yield World(freeport, esi, kafka)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[World]:
    """A loaded market that the tests of one module share."""
    with world(tmp_path_factory.mktemp("world"), databases) as found:
        found.load()
        yield found


@pytest.fixture
def own(tmp_path: Path, databases: Databases) -> Iterator[World]:
    """Everything in its place, nothing started, for one test alone."""
    with world(tmp_path, databases) as found:
        yield found
