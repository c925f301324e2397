"""`make bench-export`: a million contracts in each format, and what others wait meanwhile."""

import asyncio
import http.client
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil

from bench.ingest import until_stopped
from bench.processes import Meter
from bench.read.__main__ import Load, loading
from bench.read.server import Served, running_api
from cli.embedded.postgres import EmbeddedPostgres
from support.databases import Databases
from support.stand_ins import free_port

CONTRACTS: Final = 1_000_000
EXPORTS: Final = ("format=ndjson", "format=csv", "format=parquet", "format=ndjson gzip")
REPORT: Final = Path("build/bench/export.json")
ALONE_SECONDS: Final = 8.0
MOST_MB: Final = 200
"""That one process may hold: the api, or the one that writes Parquet."""
MOST_DELAY_MS: Final = 20
# Names, places, prices and labels as long as the market's; the triggers' work is not what is measured.
FILL: Final = """
SET session_replication_role = replica;
INSERT INTO names (entity_id, name, category) SELECT 90000000 + n, 'Captain Number ' || n, 'character'
  FROM generate_series(1, 20000) AS n;
INSERT INTO coverage VALUES (10000002, now(), now() + interval '1 hour', now(), now());
INSERT INTO contracts (contract_id, region_id, type, issuer_id, issuer_corporation_id, for_corporation, date_issued,
                       date_expired, start_location_id, end_location_id, system_id, security, price, reward, collateral,
                       volume, days_to_complete, title, items_state, label, composition, contains_ship, items_offered,
                       items_requested, value_buy, value_sell, value_average, value_lines, value_lines_priced)
SELECT 200000000 + n, 10000002, 'item_exchange', 90000000 + n % 20000, 90000000 + n % 997, false,
       now() - n * interval '1 second', now() + interval '7 days' + n * interval '1 second', 60003760, 60003760,
       30000142, 'high', n * 1000.25, 0, 0, n % 100000 + 0.5, 0, 'Selling cheap, number ' || n, 'stored',
       'Some Ship with a Name ' || n % 5000, 'mixed', n % 3 = 0, 7, 0, n * 900.5, n * 1100.75, n * 1000.5, 7, 7
  FROM generate_series(1, {contracts}) AS n;
SET session_replication_role = origin;
"""


class Download(threading.Thread):
    """Takes one export as fast as it comes, and counts its bytes."""

    def __init__(self, port: int, export: str) -> None:
        super().__init__()
        self._port = port
        self._query, _, self._coding = export.partition(" ")
        self.seconds = 0.0
        self.received = 0

    def run(self) -> None:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        headers = {"Accept-Encoding": self._coding or "identity"}
        connection.request("GET", f"/api/v1/contracts/export?{self._query}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        into = bytearray(262_144)
        while count := answer.readinto(into):
            self.received += count
        self.seconds = time.perf_counter() - began
        connection.close()


class Watch(threading.Thread):
    """Sees the most that the processes below one hold."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.stopped = threading.Event()
        self.peak_mb = 0.0

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            held = 0
            for child in self._process.children():
                with suppress(psutil.NoSuchProcess):
                    held += child.memory_info().rss
            self.peak_mb = max(self.peak_mb, held / 2**20)


@contextmanager
def watching(process: psutil.Process) -> Iterator[Watch]:
    watch = Watch(process)
    watch.start()
    try:
        yield watch
    finally:
        watch.stopped.set()
        watch.join()


async def fill(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(FILL.format(contracts=CONTRACTS))
    await connection.execute("VACUUM (ANALYZE)")
    await connection.close()


def details(count: int) -> list[str]:
    """Contracts that nobody asked for yet, so that each is a query."""
    ids = random.Random(7).sample(range(200_000_001, 200_000_001 + CONTRACTS), count)  # noqa: S311 - no secret
    return [f"/api/v1/contracts/{contract_id}" for contract_id in ids]


def others(load: Load, paths: list[str], seconds: float) -> dict[str, Any]:
    """What somebody waits who asks for one contract after the other."""
    return load.do([paths.pop() for _ in range(4_000)], {}, clients=1, seconds=seconds, repeat=False)


def exported(served: Served, load: Load, paths: list[str], export: str, alone: dict[str, Any]) -> dict[str, Any]:
    meter = Meter({"api": served.process})
    download = Download(served.port, export)
    with watching(served.process) as watch:
        download.start()
        beside: list[dict[str, Any]] = []
        while download.is_alive():
            beside.append(others(load, paths, 3.0))
        download.join()
    whole = beside[:-1] or beside  # during the last one the export came to its end
    p99 = sorted(one["p99_ms"] for one in whole)[len(whole) // 2]
    return {
        "seconds": round(download.seconds, 1),
        "rows_per_second": round(CONTRACTS / download.seconds),
        "mb": round(download.received / 2**20, 1),
        "api_peak_mb": meter.peak_mb("api"),
        "writer_peak_mb": round(watch.peak_mb, 1),
        "others_p50_ms": sorted(one["p50_ms"] for one in whole)[len(whole) // 2],
        "others_p99_ms": p99,
        "delay_p99_ms": round(p99 - alone["p99_ms"], 2),
    }


def measure(folder: Path) -> dict[str, Any]:
    with EmbeddedPostgres(folder / "postgres", free_port()) as server:
        databases = Databases(server.url)
        databases.prepare()
        with databases.fresh("settled") as url:
            print(f"filling in {CONTRACTS:,} contracts …", flush=True)
            asyncio.run(fill(url))
            with running_api(folder, url) as served, loading(served.port) as load:
                paths = details(CONTRACTS)
                alone = others(load, paths, ALONE_SECONDS)
                measured: dict[str, Any] = {"alone": alone}
                for export in EXPORTS:
                    measured[export] = exported(served, load, paths, export, alone)
                    print(f"{export}: {measured[export]}", flush=True)
                return measured


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="freeport-bench-") as folder:
        measured = measure(Path(folder))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(measured, indent=2), encoding="utf-8")
    print(f"alone: p50 {measured['alone']['p50_ms']} ms, p99 {measured['alone']['p99_ms']} ms")
    for export in EXPORTS:
        one = measured[export]
        if max(one["api_peak_mb"], one["writer_peak_mb"]) > MOST_MB or one["delay_p99_ms"] > MOST_DELAY_MS:
            print(f"misses: {export}")
    print(f"written to {REPORT}; load average {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    until_stopped(main)
