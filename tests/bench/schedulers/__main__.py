"""Our scheduler beside others, on the same schedules and in the same ordeals: `python -m bench.schedulers`.

Each schedule is due every five seconds. `--only NAME` does one ordeal. Where nothing is done to them the systems run
one after another, so that processor time is each one's own; else side by side, each with a database of its own.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psutil

from bench.processes import Meter
from bench.schedule import server
from bench.schedulers.judging import Window, judged
from bench.schedulers.ordeals import ORDEALS, Fleet, Ordeal, clock_library
from bench.schedulers.systems import PERIOD, SYSTEMS, System, rows
from support.databases import Databases

REPORT: Final = Path("build/bench/schedulers.json")
PACKAGES: Final = ("apscheduler", "taskiq", "taskiq-postgres", "psycopg")
STARTING_SECONDS: Final = 11
"""From the making of the schedules to the first slot: a process is to be up by then."""
ENDING_SECONDS: Final = 6
"""After the last slot that counts, for it may be made up for."""


@dataclass(frozen=True)
class Place:
    """Where everything runs."""

    folder: Path
    databases: Databases
    postgres: psutil.Process
    clock: Path | None
    making: threading.Lock
    """Databases are copied one at a time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[ordeal.name for ordeal in ORDEALS], metavar="NAME")
    only = parser.parse_args().only
    if missing := [name for name in PACKAGES if not _is_installed(name)]:
        raise SystemExit(f"not installed: {', '.join(missing)}. Run: .venv/bin/uv pip install --group bench")
    report = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (postgres, databases):
        assert postgres.pid is not None
        process = psutil.Process(postgres.pid)
        place = Place(Path(folder), databases, process, clock_library(), threading.Lock())
        for ordeal in ORDEALS:
            if ordeal.name in only:
                report[ordeal.name] = _all(place, ordeal)
                print(ordeal.name, json.dumps(report[ordeal.name]))
                REPORT.parent.mkdir(parents=True, exist_ok=True)
                REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _all(place: Place, ordeal: Ordeal) -> dict[str, Any]:
    if ordeal.sets_clock and place.clock is None:
        raise SystemExit("libfaketime is not installed. Run: apt-get install libfaketime")
    workers = len(SYSTEMS) if ordeal.steps else 1
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(partial(_measured, place, ordeal), SYSTEMS))
    return {_title(system): one for system, one in zip(SYSTEMS, found, strict=True)}


def _title(system: System) -> str:
    return f"{system.name} {version(system.package)}" if system.package else system.name


def _measured(place: Place, ordeal: Ordeal, system: System) -> dict[str, Any]:
    folder = place.folder / ordeal.name / system.name
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        with place.making:
            url = stack.enter_context(place.databases.fresh("migrated"))
        beginning = (int(time.time()) + STARTING_SECONDS) // PERIOD * PERIOD + PERIOD
        command = stack.enter_context(system.prepared(url, folder, ordeal.schedules, beginning))
        fleet = Fleet(command, folder, place.clock if ordeal.sets_clock else None)
        stack.callback(fleet.close)
        fleet.start()
        _until(beginning)
        meter = Meter({"scheduler": psutil.Process(fleet.running[0].pid), "postgres": place.postgres})
        _endure(ordeal, fleet, beginning)
        cost = {} if ordeal.steps else _cost(meter, ordeal.seconds)
        _until(beginning + ordeal.seconds + ENDING_SECONDS)
        window = Window(beginning, beginning + ordeal.seconds, PERIOD)
        firings = [(row[0], row[1]) for row in rows(url, system.fired)]
        return {**_verdict(system, window, ordeal.schedules, firings), **cost}


def _endure(ordeal: Ordeal, fleet: Fleet, beginning: int) -> None:
    for second, what, arguments in ordeal.steps:
        _until(beginning + second)
        step: Callable[..., None] = getattr(fleet, what)
        step(*arguments)
    _until(beginning + ordeal.seconds)


def _verdict(system: System, window: Window, schedules: int, firings: Sequence[tuple[str, float]]) -> dict[str, Any]:
    first = min((moment for _, moment in firings), default=window.beginning)
    phases = {f"s{number}": system.phase(number, first) for number in range(schedules)}
    return judged(window, phases, firings).as_json()


def _cost(meter: Meter, seconds: int) -> dict[str, float]:
    spent = meter.cpu_seconds()
    return {
        "cpu_percent": round(100 * spent["scheduler"] / seconds, 1),
        "postgres_cpu_percent": round(100 * spent["postgres"] / seconds, 1),
        "peak_mb": meter.peak_mb("scheduler"),
    }


def _until(moment: float) -> None:
    time.sleep(max(moment - time.time(), 0))


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
