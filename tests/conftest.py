"""The real parts that tests stand on: a PostgreSQL server, a Kafka broker, a simulated ESI."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.embedded.broker import EmbeddedBroker
from cli.embedded.postgres import EmbeddedPostgres
from common.database import create_engine
from common.settings import DatabaseSettings, KafkaSettings
from support.apache_kafka import ApacheKafka, unavailable
from support.databases import Databases, new_cluster, prepared_cluster, settings_for
from support.simulated_esi import SimulatedEsi, running_simulator
from support.stand_ins import free_port

APACHE_KAFKA = os.environ.get("TEST_BROKER") == "apache-kafka"
SMALL_MARKET = {
    "ESI_SIM_FORGE_CONTRACTS": "300",
    "ESI_SIM_HUB_CONTRACTS": "60",
    "ESI_SIM_LIST_TTL": "5",
    "ESI_SIM_RECORDED": "false",
}
LONGEST = (
    "ingestor/test_storms.py",
    "end_to_end/test_market.py",
    "api/test_lists_against_brute_force.py",
    "chaos/test_killing.py",
    "api/test_against_its_schema.py",
    "chaos/test_freezing.py",
    "end_to_end/test_upstream_down.py",
    "scheduler/test_faults.py",
    "cli/test_command.py",
)
"""What begins first: begun last, one of these would keep one processor busy while the other has nothing to do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get("/".join(item.path.parts[-2:]), len(places)))


class Broker(Protocol):
    """What tests need of a broker, whichever it is."""

    port: int

    @property
    def pid(self) -> int | None: ...

    @property
    def bootstrap_servers(self) -> str: ...

    def start(self) -> object: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


@pytest.fixture(scope="session")
def of_all_workers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that this run's workers share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def database_server(tmp_path_factory: pytest.TempPathFactory, of_all_workers: Path) -> Iterator[EmbeddedPostgres]:
    """One PostgreSQL server for all tests of a worker, with the templates. Whoever stops it starts it again."""
    files = tmp_path_factory.mktemp("postgres") / "data"
    shutil.copytree(prepared_cluster(of_all_workers), files)
    with EmbeddedPostgres(files, free_port(), durable=False) as server:
        yield server


@pytest.fixture
def fresh_cluster(of_all_workers: Path, tmp_path: Path) -> Path:
    """The files of a new PostgreSQL server, to move to where a test wants them."""
    return Path(shutil.copytree(new_cluster(of_all_workers), tmp_path / "fresh_cluster"))


@pytest.fixture(scope="session")
def databases(database_server: EmbeddedPostgres) -> Databases:
    """What is on that server: the templates that tests copy."""
    return Databases(database_server.url)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A migrated database of the test's own, with New Eden's unchanging parts in it."""
    with databases.settled() as url:
        yield url


@pytest.fixture
def database(database_url: str) -> DatabaseSettings:
    return settings_for(database_url)


@pytest.fixture
async def engine(database: DatabaseSettings) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database, service="test")
    yield engine
    await engine.dispose()


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A broker without memory of others: the embedded one, or Apache Kafka if TEST_BROKER says so."""
    server = _apache_kafka(folder) if APACHE_KAFKA else EmbeddedBroker(folder, free_port())
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own."""
    with running_broker(tmp_path) as server:
        yield server


@pytest.fixture
def kafka(broker: Broker) -> KafkaSettings:
    """Settings for `broker`, impatient as tests are."""
    return impatient(broker)


def impatient(broker: Broker) -> KafkaSettings:
    return KafkaSettings(
        kafka_bootstrap_servers=broker.bootstrap_servers,
        kafka_session_timeout_ms=2_000,
        kafka_heartbeat_interval_ms=500,
        kafka_fetch_max_wait_ms=100,
        kafka_topic_partitions=2,
        kafka_enable_idempotence=APACHE_KAFKA,
    )


@pytest.fixture
def esi(tmp_path: Path) -> Iterator[SimulatedEsi]:
    """A simulated ESI with a small market, of the test's own."""
    with running_simulator(tmp_path, **SMALL_MARKET) as simulator:
        yield simulator


def _apache_kafka(folder: Path) -> ApacheKafka:
    reason = unavailable()
    if reason is not None:
        pytest.skip(f"Apache Kafka: {reason}")
    return ApacheKafka(folder / "kafka", free_port(), free_port())
