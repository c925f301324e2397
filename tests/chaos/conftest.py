"""The whole local stack as people run it, `freeport up`, and the means to hurt it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psutil
import pytest

from cli.stack import EMBEDDED_BROKER
from conftest import APACHE_KAFKA, Broker, running_broker
from support.freeport import Freeport, Questions, eventually, same_market
from support.simulated_esi import SimulatedEsi
from support.stand_ins import free_port

REGIONS = (10000002, 10000043)


class LocalStack(Freeport):
    """`freeport up` in a folder of its own, on a market that stands still but answers slowly.

    With the broker of its own, or with one from outside.
    """

    def __init__(self, folder: Path, broker: Broker | None, **settings: str) -> None:
        self.broker = broker
        self.ports = {name: free_port() for name in ("POSTGRES", "KAFKA", "ESI")}
        self.folder = folder
        self.port = free_port()
        self.database_url = f"postgresql://freeport@127.0.0.1:{self.ports['POSTGRES']}/freeport"
        self.database = Questions(self.database_url)
        self.environment = {
            "PATH": os.environ["PATH"],
            "FREEPORT_HOME": str(folder / "home"),
            "API_PORT": str(self.port),
            **{f"FREEPORT_{name}_PORT": str(port) for name, port in self.ports.items()},
            "REGION_IDS": ",".join(str(region_id) for region_id in REGIONS),
            "SWEEP_INTERVAL": "5",
            "RECONCILE_INTERVAL": "1",
            "ESI_SIM_FORGE_CONTRACTS": "400",
            "ESI_SIM_HUB_CONTRACTS": "60",
            "ESI_SIM_LIST_TTL": "5",
            "ESI_SIM_START": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ESI_SIM_CLOCK_SPEED": "0",
            "ESI_SIM_LATENCY": "0.2",
            **settings,
        }
        self.processes = {}
        with (folder / "up.log").open("wb") as log:
            self.up = subprocess.Popen(
                [Path(sys.executable).with_name("freeport"), "up"],
                cwd=folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def shown(self) -> Mapping[str, str]:
        """The key that the stack made for itself."""
        key = self.folder / "home" / "api-key"
        eventually(key.exists, what="the stack has made a key")
        return {"Authorization": f"Bearer {key.read_text().strip()}"}

    def is_as_upstream(self) -> None:
        """Hold both regions to what the simulator has."""
        with closing(SimulatedEsi(f"http://127.0.0.1:{self.ports['ESI']}")) as esi:
            for region_id in REGIONS:
                same_market(self, esi.truth(region_id), region_id)

    def stored(self) -> int:
        """Contracts whose items are stored; none while the database is away."""
        try:
            return int(self.value("SELECT count(*) FROM contracts WHERE items_state = 'stored'"))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            print(f"not yet: {type(error).__name__}")
            return 0

    def find(self, name: str) -> psutil.Process | None:
        """The stack's process of that name, if it runs: the one whose command speaks of it."""
        words = {"broker": "tansu", "postgres": "postgres", "esi": "esi_simulator"}
        for child in psutil.Process(self.up.pid).children(recursive=True):
            try:
                command = child.cmdline()
            except psutil.Error:
                continue
            wanted = words.get(name, name)
            if command and (command[-1] == wanted or Path(command[0]).name == wanted):
                return child
        return None

    def hurt(self, name: str, number: signal.Signals) -> psutil.Process:
        process = self.awaited(name)
        process.send_signal(number)
        return process

    def kill(self, name: str) -> None:
        """Kill without warning; what is not of the stack is started again, for nobody else would."""
        if name == "broker" and self.broker is not None:
            self.broker.kill()
            self.broker.start()
        else:
            self.hurt(name, signal.SIGKILL)

    def process_of_broker(self) -> psutil.Process:
        return psutil.Process(self.broker.pid) if self.broker is not None else self.awaited("broker")

    def awaited(self, name: str) -> psutil.Process:
        eventually(lambda: self.find(name), what=f"{name} runs")
        process = self.find(name)
        assert process is not None
        return process

    def parts(self) -> dict[str, str]:
        """What another service needs to join this stack."""
        kafka = self.environment.get("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{self.ports['KAFKA']}")
        return {
            **EMBEDDED_BROKER,
            "DATABASE_URL": self.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "ESI_BASE_URL": f"http://127.0.0.1:{self.ports['ESI']}",
        }

    def said(self) -> str:
        return self.log("up")

    def accept(self, region_id: int) -> str | None:
        """Ask for an ingest; the run's address if it was accepted."""
        command = {"dataset": "contracts", "scope": {"region_id": region_id}, "force": True}
        try:
            reply = self.ask("POST", "/api/v1/data/ingest", command)
        except OSError:
            return None
        return reply.headers["location"] if reply.status == 202 else None

    def loads_on(self) -> None:
        """Wait until more is stored than before, or all is: the moment to strike."""
        before = self.stored()
        eventually(lambda: self.stored() > before or (before and self.everything_ended()), what="the market loads on")

    def everything_ended(self) -> bool:
        """Whether the market is loaded and every accepted run is over, going by rows alone."""
        try:
            unseen = self.value(
                "SELECT count(*) FROM ingest_requests q LEFT JOIN runs r USING (run_id) WHERE r.finished_at IS NULL"
            )
            return unseen == 0 and self.loaded(len(REGIONS))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            print(f"not yet: {type(error).__name__}")
            return False

    def end(self) -> None:
        self.up.send_signal(signal.SIGTERM)
        try:
            self.up.wait(timeout=30)
        finally:
            self.up.kill()
            self.database.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack for a module's tests; on Apache Kafka if that is what is tested."""
    folder = tmp_path_factory.mktemp("stack")
    with ExitStack() as outside:
        settings: dict[str, str] = {}
        broker = outside.enter_context(running_broker(folder)) if APACHE_KAFKA else None
        if broker is not None:
            settings = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "KAFKA_SESSION_TIMEOUT_MS": "6000"}
        stack = LocalStack(folder, broker, **settings)
        yield stack
        stack.end()
