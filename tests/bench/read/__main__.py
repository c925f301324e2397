"""`make bench-read`: how fast the api answers, hot and never asked before, beside the least that an answer can cost."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Final

import psutil
import uvloop

from bench import figures as report
from bench.figures import Measured
from bench.ingest import Console, prepare, until_stopped
from bench.processes import Meter
from bench.read import cursors, figures, load
from bench.read.copies import Size
from bench.read.floors import bare_statement
from bench.read.load import Connection, Job
from bench.read.market import KEPT, LARGE, SMALL, running_market
from bench.read.queries import QUERIES, Pools, Query, pools
from bench.read.server import CONSTANT, Served, running_api

REPORT: Final = Path("build/bench/read.json")
SIZES: Final = {"small": (SMALL,), "large": (LARGE,), "both": (SMALL, LARGE)}
CLIENTS: Final = (1, 32)
LONGER: Final = {1: 2.0}
"""One client makes few requests, of which the slowest hundredth is judged: it asks for so many times as long."""
WARMING: Final = 0.2
"""Of the time that is measured, before it."""
WELL: Final = frozenset({"200", "304"})


@dataclass(frozen=True)
class Effort:
    """How often, and each time for how long, each query is asked for."""

    seconds: float
    rounds: int = 1


class Load:
    """Has jobs done by the process that makes the load."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self._process = process
        self._port = port

    def do(
        self, paths: Sequence[str], headers: dict[str, str], *, clients: int, seconds: float, repeat: bool
    ) -> dict[str, Any]:
        """What was measured. Raises RuntimeError if the job could not be done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = Job(self._port, list(paths), headers, clients, seconds, seconds * WARMING, repeat)
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"{paths[0]}: {answer['error']}")
        return answer


@contextmanager
def loading(port: int) -> Iterator[Load]:
    command = [sys.executable, str(load.__file__)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Load(process, port)
    finally:
        process.terminate()
        process.communicate()


class Bench:
    """Measures the queries on one market."""

    def __init__(
        self,
        load: Load,
        served: Served,
        known: Pools,
        url: str,
        *,
        postgres: psutil.Process,
        effort: Effort,
    ) -> None:
        self._load = load
        self._processes = {"api": served.process, "postgres": postgres}
        self._served = served
        self._known = known
        self._url = url
        self._seconds = effort.seconds
        self._each = len(CLIENTS) * effort.rounds
        self._paths: dict[str, list[str]] = {}
        self._bare: dict[int, dict[str, Any]] = {}

    def is_served(self, query: Query) -> bool:
        """Whether the api knows this query."""
        status, _ = _first(self._served.port, query.paths(self._known, 0, most=1)[0], dict(query.headers))
        return str(status) in WELL

    def paths(self, query: Query, clients: int, turn: int = 0) -> list[str]:
        """What so many clients ask for in a round: each something else, for what has been asked for is kept."""
        if query.name not in self._paths:
            self._paths[query.name] = query.paths(self._known, seed=1)
        paths = self._paths[query.name]
        return paths if query.hot else paths[turn * len(CLIENTS) + CLIENTS.index(clients) :: self._each]

    def measure(self, query: Query, clients: int, turn: int = 0) -> dict[str, Any]:
        """Its figures in one round, then those of its floors."""
        headers = dict(query.headers)
        paths = self.paths(query, clients, turn)
        if query.revalidates:
            headers["If-None-Match"] = _first(self._served.port, paths[0], headers)[1]
        meter = Meter(self._processes)
        seconds = self._seconds * LONGER.get(clients, 1.0)
        found = self._load.do(paths, headers, clients=clients, seconds=seconds, repeat=query.hot)
        spent = meter.cpu_seconds()
        wrong = {status: count for status, count in found["statuses"].items() if status not in WELL}
        if wrong:
            raise RuntimeError(f"{query.name}: answered with {wrong}, such as for {paths[0]}")
        constant = self._constant(found["body_bytes"], clients)
        asked = found.pop("asked")
        del found["statuses"]
        return {
            **found,
            **{f"{name}_us": round(each / asked * 1e6) for name, each in spent.items()},
            "clients": clients,
            "floor": {"constant": constant, "statement": self._statement(clients)},
        }

    def _constant(self, size: int, clients: int) -> dict[str, Any]:
        path = CONSTANT.format(size=size)
        meter = Meter(self._processes)
        found = self._load.do([path], {}, clients=clients, seconds=self._seconds / 3, repeat=True)
        api_us = round(meter.cpu_seconds()["api"] / found["asked"] * 1e6)
        return {**{name: found[name] for name in ("p50_ms", "p99_ms", "requests_per_second")}, "api_us": api_us}

    def _statement(self, clients: int) -> dict[str, Any]:
        if clients not in self._bare:
            self._bare[clients] = bare_statement(self._url, clients=clients, seconds=self._seconds)
        return self._bare[clients]


@contextmanager
def benching(size: Size, folder: Path, effort: Effort, *, kept: Path, say: Callable[[str], None]) -> Iterator[Bench]:
    """A market of that size, served."""
    folder.mkdir()
    with (
        running_market(size, say, kept=kept) as (server, url),
        running_api(folder, url) as served,
        loading(served.port) as work,
    ):
        known = uvloop.run(pools(url))
        known = replace(known, cursors=uvloop.run(cursors.anywhere(url)))
        assert server.pid is not None
        yield Bench(work, served, known, url, postgres=psutil.Process(server.pid), effort=effort)


def measure(
    sizes: Sequence[Size],
    queries: Sequence[Query],
    folder: Path,
    effort: Effort,
    *,
    kept: Path,
    say: Callable[[str], None],
) -> dict[str, Measured]:
    """Every query that the api serves, on markets of these sizes: one right after the other, as machines change.

    Of all rounds each figure is the middle one: a neighbour on the machine who is busy for a minute spoils none.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {size.name: {} for size in sizes}
    with ExitStack() as stack:
        benches = {
            size.name: stack.enter_context(benching(size, folder / size.name, effort, kept=kept, say=say))
            for size in sizes
        }
        for turn, query, clients in product(range(effort.rounds), queries, CLIENTS):
            for size, bench in benches.items():
                if not bench.is_served(query):
                    say(f"{query.name}: not served")
                    continue
                name = f"{query.name}_{size}_c{clients}"
                one = bench.measure(query, clients, turn)
                found[size].setdefault(name, []).append(one)
                say(f"{name}: {figures.line(one)}")
    return {name: figures.middle(each) for of_size in found.values() for name, each in of_size.items()}


def _first(port: int, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """The status and the ETag of one answer."""
    connection = Connection(port)
    try:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.ask(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode())
        while not connection.receive():
            pass
        return connection.status, connection.header("etag")
    finally:
        connection.socket.close()


def main() -> None:
    asked = _arguments()
    console = Console()
    prepare(console)
    chosen = [query for query in QUERIES if not asked.only or any(query.name.startswith(name) for name in asked.only)]
    with tempfile.TemporaryDirectory(prefix="freeport-bench-") as folder:
        effort = Effort(asked.seconds, asked.rounds)
        measured = measure(SIZES[asked.size], chosen, Path(folder), effort, kept=KEPT, say=console.say)
    report.write(REPORT, measured)
    print(f"\n{figures.table(measured)}\n")
    for line in figures.verdict(measured):
        print(f"misses: {line}")
    print(f"written to {REPORT}; load average {os.getloadavg()[0]:.2f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.read", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="both", help="46,000 live contracts, ten times that, or both")
    parser.add_argument("--only", nargs="*", help="queries whose names begin so")
    parser.add_argument(
        "--seconds", type=float, default=0.75, help="that each query is asked for in a round, after a short warming"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="through all queries; of each figure the middle one counts"
    )
    return parser.parse_args()


if __name__ == "__main__":
    until_stopped(main)
