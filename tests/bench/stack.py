"""Freeport as a whole: all services as processes, and an upstream whose clock runs as ours does."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.backlog import ELSEWHERE, WITH_ITEMS
from bench.world import IN_FLIGHT, Server
from cli.embedded.broker import EmbeddedBroker
from cli.stack import EMBEDDED_BROKER, SERVICES
from common.settings import KafkaSettings
from support.freeport import Freeport
from support.simulated_esi import SimulatedEsi, running_simulator
from support.stand_ins import free_port

REGION: Final = 10000002
"""The Forge, which a schedule follows."""
CONTRACTS: Final = 3_000
LIST_TTL: Final = 5
"""Seconds; ESI's half an hour would make the measurement take a day."""
SETTINGS: Final = {
    "ESI_CONCURRENCY": str(IN_FLIGHT),
    "REGION_IDS": str(REGION),
    "SWEEP_INTERVAL": "60",
    "UPSTREAM_MIN_INTERVAL": "1",
    "RECONCILE_INTERVAL": "10",
}
CLOCK_READINGS: Final = 20


@dataclass(frozen=True)
class Stack:
    """The services and all around them. Upstream's clock is `ahead` seconds ahead of ours."""

    freeport: Freeport
    esi: SimulatedEsi
    kafka: KafkaSettings
    processes: dict[str, psutil.Process]
    ahead: float

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.freeport.port}"

    def list_one(self) -> tuple[int, float]:
        """Put a contract on the market; its id, and the instant of ours (Unix) from which its page can be read."""
        found = self.esi.control("list", region_id=REGION, count=1, kind="goods")
        return found["contract_ids"][0], found["readable_epoch"] - self.ahead


@contextmanager
def running_stack(folder: Path, server: Server, *, backlog: int, latency: float) -> Iterator[Stack]:
    """A stack whose upstream has one region to follow and another with `backlog` contracts that hold items."""
    folder.mkdir()
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker(folder, free_port()))
        kafka = KafkaSettings.model_validate(
            {name.lower(): value for name, value in EMBEDDED_BROKER.items()}
            | {"kafka_bootstrap_servers": broker.bootstrap_servers}
        )
        esi = stack.enter_context(running_simulator(folder, **_market(backlog, latency)))
        freeport = Freeport(
            folder,
            database_url=stack.enter_context(server.databases.fresh("settled")),
            kafka=kafka,
            esi_url=esi.url,
            **SETTINGS,
        )
        stack.callback(freeport.close)
        freeport.provision()
        ahead = _ahead(esi)
        freeport.start(*SERVICES)
        processes = {
            **{name: psutil.Process(freeport.processes[name].pid) for name in SERVICES},
            "simulator": next(each for each in psutil.Process().children() if "esi_simulator" in each.cmdline()),
            "postgres": server.process,
            "broker": psutil.Process(broker.pid),
        }
        yield Stack(freeport, esi, kafka, processes, ahead)


def _market(backlog: int, latency: float) -> dict[str, str]:
    """It lives, so most pages differ in each generation."""
    return {
        "ESI_SIM_FORGE_CONTRACTS": str(CONTRACTS),
        "ESI_SIM_HUB_CONTRACTS": "0",
        "ESI_SIM_RECORDED": "false",
        "ESI_SIM_EXTRA_REGIONS": f"{ELSEWHERE}:{int(backlog / WITH_ITEMS) + 1_000}",
        "ESI_SIM_LATENCY": str(latency),
        "ESI_SIM_LIST_TTL": str(LIST_TTL),
    }


def _ahead(esi: SimulatedEsi) -> float:
    """By how much upstream's clock is ahead, by the quickest of some answers."""
    asked = []
    for _ in range(CLOCK_READINGS):
        before = time.time()
        theirs = esi.get("/_simulator/clock").content["epoch"]
        after = time.time()
        asked.append((after - before, theirs - (before + after) / 2))
    _, ahead = min(asked)
    return float(ahead)
