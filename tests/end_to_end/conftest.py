from collections.abc import Iterator
from pathlib import Path

import pytest

from common.settings import KafkaSettings
from support.freeport import Freeport, eventually
from support.simulated_esi import SimulatedEsi

REGIONS = (10000002, 10000043)


@pytest.fixture
def idle(tmp_path: Path, database_url: str, kafka: KafkaSettings, esi: SimulatedEsi) -> Iterator[Freeport]:
    """Everything in its place, nothing started: two regions of a small market that stands still."""
    esi.control("freeze", frozen=True)
    regions = ",".join(str(region_id) for region_id in REGIONS)
    freeport = Freeport(tmp_path, database_url=database_url, kafka=kafka, esi_url=esi.url, REGION_IDS=regions)
    freeport.provision()
    yield freeport
    freeport.close()


@pytest.fixture
def freeport(idle: Freeport) -> Freeport:
    """All services running, and the market loaded."""
    idle.start("ingestor", "scheduler", "api")
    eventually(lambda: idle.loaded(len(REGIONS)), what="the market is loaded")
    eventually(idle.ready, what="the api is ready")
    return idle
