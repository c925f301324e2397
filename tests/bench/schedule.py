"""How late slots fire, and at what cost: `python -m bench.schedule`, or one of its scenarios with `--only NAME`.

Everything is as in production: schedulers are processes, their relays send to a broker, PostgreSQL keeps its promises.
Lateness is read from the ledger twice: when the slot was decided, and when that was committed, which is when anybody
else can know of it.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil

from bench.processes import Meter
from cli.embedded.broker import EmbeddedBroker
from cli.embedded.postgres import EmbeddedPostgres
from cli.stack import EMBEDDED_BROKER
from common.settings import KafkaSettings
from support.databases import Databases
from support.freeport import Freeport
from support.stand_ins import free_port

REPORT: Final = Path("build/bench/schedule.json")
SETTLING_SECONDS: Final = 5.0
WINDOW_SECONDS: Final = 60.0

# Each minute one slot: `spread` over its 60 seconds, or `at_once` with its beginning.
DEFINE: Final = """
INSERT INTO schedules (schedule_id, name, kind, every_seconds, offset_seconds, action, dataset, scope, overlap,
                       next_due_at)
SELECT 's' || n, 'a benchmark''s', 'interval', 60, offset_, 'ingest', 'contracts', '{"region_id": 10000002}',
       'allow_all', date_trunc('minute', now()) + interval '1 minute' + offset_ * interval '1 second'
  FROM (SELECT n, CASE WHEN $2 THEN n % 60 ELSE 0 END AS offset_ FROM generate_series(1, $1::int) n) numbered
"""
SLEEPING: Final = "UPDATE schedules SET every_seconds = 86400, next_due_at = now() + interval '1 day'"
LATENESS: Final = """
SELECT count(*) AS slots,
       percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM decided_at - slot_at) * 1000)
           AS decided,
       percentile_disc(ARRAY[0.5, 0.99, 1]) WITHIN GROUP (ORDER BY extract(epoch FROM told_at - slot_at) * 1000)
           AS told,
       extract(epoch FROM max(told_at) - min(slot_at)) AS seconds
  FROM (SELECT slot_at, decided_at, pg_xact_commit_timestamp(xmin) AS told_at FROM schedule_slots
         WHERE schedule_id LIKE 's%' AND slot_at >= $1 AND slot_at < $2) lines
"""


@dataclass(frozen=True)
class Scenario:
    """So many schedules, due once a minute, before so many replicas."""

    schedules: int
    replicas: int
    pattern: str = "spread"

    @property
    def is_idle(self) -> bool:
        return self.pattern.startswith("idle")

    @property
    def name(self) -> str:
        return f"{self.pattern}_{self.schedules}_{self.replicas}"


SCENARIOS: Final = (
    Scenario(10_000, 1, "idle"),
    Scenario(10_000, 1, "idle_embedded"),
    *(Scenario(schedules, replicas) for schedules in (1_000, 10_000, 100_000) for replicas in (1, 2, 5)),
    Scenario(10_000, 1, "at_once"),
    *(Scenario(100_000, replicas, "at_once") for replicas in (1, 2, 5)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[scenario.name for scenario in SCENARIOS], metavar="NAME")
    only = parser.parse_args().only
    report = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (postgres, databases):
        for scenario in SCENARIOS:
            if scenario.name in only:
                report[scenario.name] = _measured(scenario, Path(folder) / scenario.name, postgres, databases)
                print(scenario.name, json.dumps(report[scenario.name]))
                REPORT.parent.mkdir(parents=True, exist_ok=True)
                REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


@contextmanager
def server(folder: Path) -> Iterator[tuple[EmbeddedPostgres, Databases]]:
    """A PostgreSQL that keeps its promises and remembers when each transaction was committed."""
    server = EmbeddedPostgres(folder / "postgres", free_port())
    server.start()
    asyncio.run(execute(server.url, "ALTER SYSTEM SET track_commit_timestamp = on"))
    server.stop()
    server.start()
    databases = Databases(server.url)
    databases.prepare()
    try:
        yield server, databases
    finally:
        server.stop()


def _measured(scenario: Scenario, folder: Path, postgres: EmbeddedPostgres, databases: Databases) -> dict[str, Any]:
    folder.mkdir()
    with ExitStack() as stack:
        url = stack.enter_context(databases.fresh("migrated"))
        broker = stack.enter_context(EmbeddedBroker(folder, free_port()))
        kafka = _settings(broker.bootstrap_servers, embedded=scenario.pattern == "idle_embedded")
        freeport = Freeport(folder, database_url=url, kafka=kafka, esi_url="http://127.0.0.1:1", REGION_IDS="1")
        stack.callback(freeport.close)
        freeport.provision()
        names = [f"scheduler{number}" for number in range(scenario.replicas)]
        for name in names:
            freeport.processes[name] = freeport._run("scheduler")
        time.sleep(SETTLING_SECONDS)
        asyncio.run(execute(url, DEFINE, scenario.schedules, scenario.pattern != "at_once"))
        if scenario.is_idle:
            asyncio.run(execute(url, SLEEPING))
        asyncio.run(execute(url, "VACUUM ANALYZE schedules"))
        processes = {name: psutil.Process(freeport.processes[name].pid) for name in names}
        assert postgres.pid is not None
        return _window(scenario, url, names, {**processes, "postgres": psutil.Process(postgres.pid)})


def _settings(servers: str, *, embedded: bool) -> KafkaSettings:
    """As `make up` has them for the embedded broker, or patient, as for Apache Kafka."""
    given = {name.lower(): value for name, value in EMBEDDED_BROKER.items()} if embedded else {}
    return KafkaSettings.model_validate(given | {"kafka_bootstrap_servers": servers})


def _window(scenario: Scenario, url: str, names: Sequence[str], processes: dict[str, psutil.Process]) -> dict[str, Any]:
    """What happens in the minute that follows."""
    beginning = (time.time() // 60 + 1) * 60
    time.sleep(beginning - time.time() - 0.5)
    meter = Meter(processes)
    time.sleep(WINDOW_SECONDS)
    spent = meter.cpu_seconds()
    late = asyncio.run(_late(url, beginning, 0 if scenario.is_idle else scenario.schedules))
    return {
        **late,
        "scheduler_cpu_percent": round(100 * sum(spent[name] for name in names) / WINDOW_SECONDS, 2),
        "postgres_cpu_percent": round(100 * spent["postgres"] / WINDOW_SECONDS, 2),
        "scheduler_peak_mb": max(meter.peak_mb(name) for name in names),
        "load_average": round(psutil.getloadavg()[0], 1),
    }


async def _late(url: str, beginning: float, expected: int) -> dict[str, Any]:
    """Wait until all that came in the minute is decided, and say how late that was."""
    connection = await asyncpg.connect(url)
    try:
        bounds = await connection.fetchrow("SELECT to_timestamp($1), to_timestamp($1 + 60)", beginning)
        for _ in range(600):
            row = await connection.fetchrow(LATENESS, *bounds)
            if row["slots"] >= expected:
                break
            await asyncio.sleep(0.2)
        if not row["slots"]:
            return {"slots": 0}
        p50, p99, most = (round(float(value)) for value in row["told"])
        decided = [round(float(value)) for value in row["decided"]]
        return {
            "slots": row["slots"],
            "p50_ms": p50,
            "p99_ms": p99,
            "max_ms": most,
            "decided_p99_ms": decided[1],
            "slots_per_second": round(row["slots"] / float(row["seconds"])),
            "seconds": round(float(row["seconds"]), 2),
        }
    finally:
        await connection.close()


async def execute(url: str, statement: str, *arguments: object) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement, *arguments)
    await connection.close()


if __name__ == "__main__":
    main()
