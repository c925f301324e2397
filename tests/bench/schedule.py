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
LEAD_SECONDS: Final = 5
"""From the making of schedules to the first of their slots, and a second more for each 20,000 that are written."""
WINDOW_SECONDS: Final = 30
"""That slots are looked at which are spread over a minute: half of all, as dense as all."""
PERIOD_SECONDS: Final = 60
PATIENCE_SECONDS: Final = 60

# Each minute one slot, from a second on: `spread` over sixty seconds, or `at_once`.
DEFINE: Final = """
INSERT INTO schedules (schedule_id, name, kind, every_seconds, offset_seconds, action, dataset, scope, overlap,
                       next_due_at)
SELECT 's' || n, 'a benchmark''s', 'interval', 60, offset_, 'ingest', 'contracts', '{"region_id": 10000002}',
       'allow_all', first + place * interval '1 second'
  FROM (SELECT n, to_timestamp($3) AS first, CASE WHEN $2 THEN n % 60 ELSE 0 END AS place
          FROM generate_series(1, $1::int) n) numbered,
       LATERAL (SELECT (extract(epoch FROM first)::bigint + place) % 60 AS offset_) aligned
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
UNDECIDED: Final = "SELECT EXISTS (SELECT FROM schedules WHERE next_due_at < $1)"
UNSENT: Final = "SELECT EXISTS (SELECT FROM outbox WHERE service = 'scheduler')"


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
    Scenario(1_000, 1, "at_once"),
    *(Scenario(schedules, replicas, "at_once") for schedules in (10_000, 100_000) for replicas in (1, 2, 5)),
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
        first = int(time.time()) + LEAD_SECONDS + scenario.schedules // 20_000
        asyncio.run(execute(url, DEFINE, scenario.schedules, scenario.pattern != "at_once", first))
        if scenario.is_idle:
            asyncio.run(execute(url, SLEEPING))
        asyncio.run(execute(url, "VACUUM ANALYZE schedules"))
        processes = {name: psutil.Process(freeport.processes[name].pid) for name in names}
        assert postgres.pid is not None
        return _window(scenario, url, names, {**processes, "postgres": psutil.Process(postgres.pid)}, first)


def _settings(servers: str, *, embedded: bool) -> KafkaSettings:
    """As `make up` has them for the embedded broker, or patient, as for Apache Kafka."""
    given = {name.lower(): value for name, value in EMBEDDED_BROKER.items()} if embedded else {}
    return KafkaSettings.model_validate(given | {"kafka_bootstrap_servers": servers})


def _window(
    scenario: Scenario, url: str, names: Sequence[str], processes: dict[str, psutil.Process], first: int
) -> dict[str, Any]:
    """What happens from the second `first` on; of what is due at once, until it is decided and sent."""
    at_once = scenario.pattern == "at_once"
    seconds = 1 if at_once else WINDOW_SECONDS
    time.sleep(max(first - time.time() - 0.5, 0))
    meter = Meter(processes)
    time.sleep(max(first - time.time(), 0) + seconds)
    late = asyncio.run(_late(url, first, first + seconds, sent=at_once))
    spent, period = meter.cpu_seconds(), PERIOD_SECONDS if at_once else WINDOW_SECONDS
    return {
        **late,
        "scheduler_cpu_percent": round(100 * sum(spent[name] for name in names) / period, 2),
        "postgres_cpu_percent": round(100 * spent["postgres"] / period, 2),
        "scheduler_peak_mb": max(meter.peak_mb(name) for name in names),
        "load_average": round(psutil.getloadavg()[0], 1),
    }


async def _late(url: str, first: int, end: int, *, sent: bool) -> dict[str, Any]:
    """Wait until all that was due from `first` to before `end` is decided, and say how late that was.

    With `sent`, also until the broker has it, and when that was.
    """
    connection = await asyncpg.connect(url)
    try:
        since, until = await connection.fetchrow("SELECT to_timestamp($1), to_timestamp($2)", first, end)
        await _over(connection, UNDECIDED, until)
        told = {}
        if sent:
            await _over(connection, UNSENT)
            told = {"sent_seconds": round(time.time() - first, 1)}
        row = await connection.fetchrow(LATENESS, since, until)
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
            **told,
        }
    finally:
        await connection.close()


async def _over(connection: Any, query: str, *arguments: object) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while await connection.fetchval(query, *arguments):
        if time.monotonic() > ends:
            raise TimeoutError(query)
        await asyncio.sleep(0.1)


async def execute(url: str, statement: str, *arguments: object) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement, *arguments)
    await connection.close()


if __name__ == "__main__":
    main()
