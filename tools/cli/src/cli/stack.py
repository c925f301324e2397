"""What the local stack consists of: its addresses and its table of processes."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from api.settings import ApiSettings
from cli.embedded import broker, postgres
from cli.launch import launched
from cli.ports import Port
from cli.process import Process, at_once
from cli.settings import TRANQUILITY, StackSettings
from common.rights import role
from common.settings import ProvisionSettings, Settings
from esi_simulator.settings import SimulatorSettings
from ingestor.settings import IngestorSettings
from scheduler.settings import SchedulerSettings

EMBEDDED_BROKER = {
    "KAFKA_SESSION_TIMEOUT_MS": "2000",
    "KAFKA_HEARTBEAT_INTERVAL_MS": "500",
    "KAFKA_FETCH_MAX_WAIT_MS": "100",
    "KAFKA_ENABLE_IDEMPOTENCE": "false",
    "KAFKA_TOPIC_PARTITIONS": "4",
    "KAFKA_REPLICATION_FACTOR": "1",
}
"""What the embedded broker wants otherwise than Kafka: a group joins in half a session, a fetch sleeps its wait out."""

SERVICES: Mapping[str, type[Settings]] = {
    "ingestor": IngestorSettings,
    "scheduler": SchedulerSettings,
    "api": ApiSettings,
}
_PROBE = aiohttp.ClientTimeout(total=2)


@dataclass(frozen=True)
class Stack:
    """Where everything is, and which of it is ours to run."""

    settings: StackSettings
    live: bool
    database: postgres.EmbeddedPostgres
    broker: broker.EmbeddedBroker

    @classmethod
    def of(cls, settings: StackSettings, *, live: bool) -> "Stack":
        """Lay out the stack. The real market and the simulated one are never mixed in one database."""
        data = settings.home / "live" if live else settings.home
        database = postgres.EmbeddedPostgres(data / "postgres", settings.freeport_postgres_port)
        return cls(settings, live, database, broker.EmbeddedBroker(settings.home, settings.freeport_kafka_port))

    @property
    def database_url(self) -> str:
        given = self.settings.database_url
        return given.get_secret_value() if given else self.database.url

    def database_url_of(self, service: str) -> str:
        """The address as a service connects: to the embedded server as a role of its own, to yours as you say."""
        return self.database.url_as(role(service)) if self.runs_postgres else self.database_url

    @property
    def shown_database_url(self) -> str:
        """The address without its password."""
        parts = urlsplit(self.database_url)
        user = f"{parts.username}@" if parts.username else ""
        return f"postgresql://{user}{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def bootstrap_servers(self) -> str:
        return self.settings.kafka_bootstrap_servers or self.broker.bootstrap_servers

    @property
    def esi_url(self) -> str:
        if self.live:
            return TRANQUILITY
        return self.settings.esi_base_url or f"http://127.0.0.1:{self.settings.freeport_esi_port}"

    @property
    def user_agent(self) -> str | None:
        """Who we tell the upstream we are; the simulated one does not mind."""
        return self.settings.esi_user_agent or (None if self.reads_tranquility else "freeport (local stack)")

    @property
    def runs_postgres(self) -> bool:
        return self.settings.database_url is None

    @property
    def runs_broker(self) -> bool:
        return self.settings.kafka_bootstrap_servers is None

    @property
    def runs_esi(self) -> bool:
        return not self.live and self.settings.esi_base_url is None

    @property
    def reads_tranquility(self) -> bool:
        """Whether requests go to CCP's servers."""
        return urlsplit(self.esi_url).hostname == urlsplit(TRANQUILITY).hostname

    def ports(self) -> list[Port]:
        """Every port that the stack is going to listen on."""
        settings = self.settings
        wanted = [
            (self.runs_postgres, Port("FREEPORT_POSTGRES_PORT", "127.0.0.1", settings.freeport_postgres_port)),
            (self.runs_broker, Port("FREEPORT_KAFKA_PORT", "127.0.0.1", settings.freeport_kafka_port)),
            (self.runs_esi, Port("FREEPORT_ESI_PORT", "127.0.0.1", settings.freeport_esi_port)),
            (True, Port("API_PORT", settings.api_host, settings.api_port)),
        ]
        return [port for is_ours, port in wanted if is_ours]

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """What the processes see: our defaults, what the user set instead, and the addresses of the parts."""
        return {
            "LOG_FORMAT": "json",
            "SWEEP_INTERVAL": "1800" if self.reads_tranquility else "60",
            "ESI_SIM_LIST_TTL": "60",
            **(EMBEDDED_BROKER if self.runs_broker else {}),
            **inherited,
            "DATABASE_URL": self.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "ESI_BASE_URL": self.esi_url,
            "ESI_USER_AGENT": self.user_agent or "",
            "ESI_SIM_HOST": "127.0.0.1",
            "ESI_SIM_PORT": str(self.settings.freeport_esi_port),
            "API_HOST": self.settings.api_host,
            "API_PORT": str(self.settings.api_port),
            "PYTHONUNBUFFERED": "1",
        }

    def table(self, inherited: Mapping[str, str]) -> list[Process]:
        """The processes to run, those first that others need."""
        environment = self.environment(inherited)
        parts = [*self._parts(environment)]
        names = tuple(part.name for part in parts)
        wire = tuple(name for name in names if name == "broker")
        # It waits for the database and the broker by itself, so its imports and their start go side by side.
        provision = Process(
            "provision",
            _module("common.provision"),
            environment,
            restarts_with=wire,
            once=True,
            settings=ProvisionSettings,
        )
        services = [
            Process(
                name,
                _module(name),
                {**environment, "DATABASE_URL": self.database_url_of(name)},
                ready=_answers(f"{self.settings.api_url}/health") if name == "api" else at_once,
                after=names,
                restarts_with=(*wire, "provision"),
                settings=settings,
            )
            for name, settings in SERVICES.items()
        ]
        return [*parts, provision, *services]

    def _parts(self, environment: Mapping[str, str]) -> Sequence[Process]:
        parts = []
        if self.runs_postgres:
            parts.append(self._postgres())
        if self.runs_broker:
            parts.append(self._broker())
        if self.runs_esi:
            ready = _answers(f"{self.esi_url}/", whatever=True)
            parts.append(Process("esi", _module("esi_simulator"), environment, ready=ready, settings=SimulatorSettings))
        return parts

    def _postgres(self) -> Process:
        async def ready(pid: int) -> bool:
            return self.database.is_ready(pid)

        return Process(
            "postgres",
            self.database.command,
            postgres.ENVIRONMENT,
            ready=ready,
            prepare=self.database.prepare,
            stop_signal=postgres.STOP_SIGNAL,
        )

    def _broker(self) -> Process:
        async def ready(pid: int) -> bool:
            return await asyncio.to_thread(self.broker.is_ready, pid)

        return Process("broker", self.broker.command, broker.ENVIRONMENT, ready=ready)


def logs_of(settings: StackSettings) -> Path:
    return settings.home / "logs"


def _module(name: str) -> Callable[[], Sequence[str]]:
    return partial(_launch_module, name)


def _launch_module(name: str) -> Sequence[str]:
    return launched([sys.executable, "-m", name])


def _answers(url: str, *, whatever: bool = False) -> Callable[[int], Awaitable[bool]]:
    """A readiness check: the address answers, with status 200 unless whatever will do."""

    async def ready(_pid: int) -> bool:
        try:
            async with aiohttp.ClientSession(timeout=_PROBE) as session, session.get(url) as answer:
                return whatever or answer.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError):
            return False

    return ready
