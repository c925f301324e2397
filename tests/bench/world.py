"""What takes part in a measurement: PostgreSQL, the broker, the simulated ESI and one ingestor. Nothing else runs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import psutil

from cli.embedded.broker import EmbeddedBroker
from cli.embedded.postgres import EmbeddedPostgres
from cli.stack import EMBEDDED_BROKER
from common import clock
from common.settings import KafkaSettings
from support.databases import Databases
from support.freeport import Freeport
from support.simulated_esi import SimulatedEsi, running_simulator
from support.stand_ins import free_port

IN_FLIGHT: Final = 64
"""Upstream requests under way at once: ESI_CONCURRENCY of the ingestor, and the floor's."""
LIST_TTL: Final = 1800
"""Seconds, as ESI's."""
REGION: Final = 10000002
BORN: Final = 0.531
SMALL: Final = 0.284
"""Parts of the market that are as the simulator makes them, and that hold little; the rest are couriers.

So 46,000 contracts have 37,000 item lists with 149,000 items: The Forge as it was measured.
"""


@dataclass(frozen=True)
class World:
    """One ingestor and all around it. Upstream's clock and market stand still but for what a scenario does."""

    freeport: Freeport
    esi: SimulatedEsi
    kafka: KafkaSettings
    floor_url: str
    """An empty database with the same tables, for the bare COPY."""
    processes: dict[str, psutil.Process]


@dataclass(frozen=True)
class Server:
    """PostgreSQL, with the databases that worlds are made from."""

    databases: Databases
    process: psutil.Process


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """PostgreSQL as `make up` runs it: durable, every commit on disk before it is answered."""
    with EmbeddedPostgres(folder / "postgres", free_port()) as server:
        assert server.pid is not None
        databases = Databases(server.url)
        databases.prepare()
        yield Server(databases, psutil.Process(server.pid))


@contextmanager
def running_world(folder: Path, server: Server, *, contracts: int, latency: float) -> Iterator[World]:
    """A world whose market has that many contracts, none of them read yet; `latency` in seconds per answer."""
    folder.mkdir()
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker(folder, free_port()))
        kafka = KafkaSettings.model_validate(
            {name.lower(): value for name, value in EMBEDDED_BROKER.items()}
            | {"kafka_bootstrap_servers": broker.bootstrap_servers}
        )
        esi = stack.enter_context(running_simulator(folder, **_market(contracts, latency)))
        _fill(esi, contracts)
        freeport = Freeport(
            folder,
            database_url=stack.enter_context(server.databases.fresh("settled")),
            kafka=kafka,
            esi_url=esi.url,
            ESI_CONCURRENCY=str(IN_FLIGHT),
        )
        stack.callback(freeport.close)
        freeport.provision()
        freeport.start("ingestor")
        processes = {
            "ingestor": psutil.Process(freeport.processes["ingestor"].pid),
            "simulator": _child("esi_simulator"),
            "postgres": server.process,
            "broker": psutil.Process(broker.pid),
        }
        yield World(freeport, esi, kafka, stack.enter_context(server.databases.fresh("migrated")), processes)


def _market(contracts: int, latency: float) -> dict[str, str]:
    """Only The Forge has contracts, and those that stand look the same in each generation, auctions too."""
    return {
        "ESI_SIM_FORGE_CONTRACTS": str(round(contracts * BORN)),
        "ESI_SIM_HUB_CONTRACTS": "0",
        "ESI_SIM_LATENCY": str(latency),
        "ESI_SIM_LIST_TTL": str(LIST_TTL),
        "ESI_SIM_CLOCK_SPEED": "0",
        "ESI_SIM_AUCTION_DRIFT": "false",
        "ESI_SIM_START": next_noon(clock.now()).isoformat(),
    }


def _fill(esi: SimulatedEsi, contracts: int) -> None:
    """Freeze the market, and bring it to exactly that many contracts."""
    esi.control("freeze", frozen=True)
    esi.control("list", region_id=REGION, count=round(contracts * SMALL), kind="goods")
    regions = esi.get("/_simulator/regions").content  # the truth would have pages made, without what comes now
    standing = next(region["live"] for region in regions if region["region_id"] == REGION)
    esi.control("list", region_id=REGION, count=contracts - standing, type="courier")


def next_noon(now: datetime) -> datetime:
    """A start at which no listed contract has expired by anybody's clock, well after ESI's daily downtime."""
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    return noon if noon >= now else noon + timedelta(days=1)


def _child(module: str) -> psutil.Process:
    return next(child for child in psutil.Process().children() if module in child.cmdline())
