"""The schedulers that are compared: how each is given the same schedules, is started, and tells what it fired."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import asyncpg

from cli.embedded.broker import EmbeddedBroker
from common.settings import KafkaSettings
from support.databases import as_service
from support.freeport import Freeport
from support.stand_ins import free_port

PERIOD: Final = 5
"""Seconds. Where a system lets them, schedules are due in different seconds of it."""

DEFINE: Final = """
INSERT INTO schedules (schedule_id, name, kind, every_seconds, offset_seconds, action, dataset, scope, overlap, catchup,
                       next_due_at)
SELECT 's' || n, 'a benchmark''s', 'interval', $2::int, n % $2, 'ingest', 'contracts', '{"region_id": 10000002}',
       'allow_all', 'all', to_timestamp($3::float8) + n % $2 * interval '1 second'
  FROM generate_series(0, $1::int - 1) n
"""


@dataclass(frozen=True)
class Command:
    """How a replica is started."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


class System(Protocol):
    """A scheduler. What it fires counts from the commit that lets others know of it."""

    name: str
    package: str | None
    """What it is installed as, where it is not ours."""
    fired: str
    """A query: the schedule's id and the Unix second of each firing."""

    def prepared(self, url: str, folder: Path, schedules: int, beginning: int) -> AbstractContextManager[Command]:
        """Everything that one needs to start, in a migrated database; slots begin at `beginning`, Unix seconds."""
        ...

    def phase(self, number: int, first: float) -> int:
        """By how many seconds a schedule's slots are behind multiples of the period; `first` of all fired then."""
        ...


class Ours:
    name = "Freeport"
    package: str | None = None
    fired = """
    SELECT schedule_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM schedule_slots
     WHERE fate = 'fired' AND schedule_id LIKE 's%'
    """

    @contextmanager
    def prepared(self, url: str, folder: Path, schedules: int, beginning: int) -> Iterator[Command]:
        """With its broker, and a relay in each replica that sends what fires."""
        with ExitStack() as stack:
            broker = stack.enter_context(EmbeddedBroker(folder, free_port()))
            kafka = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers)
            freeport = Freeport(folder, database_url=url, kafka=kafka, esi_url="http://127.0.0.1:1", REGION_IDS="1")
            freeport.provision()
            rows(url, DEFINE, schedules, PERIOD, beginning)
            yield Command(
                [sys.executable, "-m", "scheduler"],
                {**freeport.environment, "DATABASE_URL": as_service(url, "scheduler")},
            )

    def phase(self, number: int, first: float) -> int:
        del first
        return number % PERIOD


class APScheduler:
    name = "APScheduler"
    package: str | None = "apscheduler"
    fired = "SELECT schedule_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM fired"

    @contextmanager
    def prepared(self, url: str, folder: Path, schedules: int, beginning: int) -> Iterator[Command]:
        """With its SQLAlchemy job store in the same database."""
        del folder
        rows(url, "CREATE TABLE fired (schedule_id text NOT NULL)")
        command = [sys.executable, "-m", "bench.schedulers.apscheduler_process"]
        environment = {**_python(), "DATABASE_URL": url}
        subprocess.run([*command, str(beginning), str(PERIOD), str(schedules)], env=environment, check=True)
        yield Command(command, environment)

    def phase(self, number: int, first: float) -> int:
        del first
        return number % PERIOD


class Taskiq:
    name = "taskiq"
    package: str | None = "taskiq"
    fired = "SELECT task_name, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM taskiq_messages"

    @contextmanager
    def prepared(self, url: str, folder: Path, schedules: int, beginning: int) -> Iterator[Command]:
        """With a broker that keeps messages in the same database."""
        del folder, beginning
        yield Command(
            [sys.executable, "-m", "taskiq", "scheduler", "bench.schedulers.taskiq_process:scheduler"],
            {**_python(), "DATABASE_URL": url, "BENCH_PERIOD": str(PERIOD), "BENCH_SCHEDULES": str(schedules)},
        )

    def phase(self, number: int, first: float) -> int:
        """Its intervals are counted from its own start."""
        del number
        return int(first) % PERIOD


SYSTEMS: Final[Sequence[System]] = (Ours(), APScheduler(), Taskiq())


def rows(url: str, statement: str, *arguments: object) -> list[Any]:
    async def run() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()

    return asyncio.run(run())


def _python() -> Mapping[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ["PYTHONPATH"]}
