"""What Prometheus reads: this process's requests and resources, and of the whole system what the database knows."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from prometheus_client import Counter, Gauge, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.queries.metrics import progress
from api.queries.stats import stats
from common.database import DATABASE_ERRORS, is_transient
from common.logs import get_logger
from common.tables import RUN_STATES

log = get_logger(__name__)

PATIENCE_SECONDS = 2.0
"""A scrape is answered within this, whatever hangs."""
REGION_GAUGES = {
    "age_seconds": "Seconds since the generation of the region's list",
    "complete": "1 if every page of it was of one generation",
    "stale": "1 if it was never read, or upstream renewed it two minutes ago",
    "live": "Contracts that are listed and not expired",
    "listed": "Contracts in the newest list",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database says: the content of `data/stats`, and how far runs and processes are."""

    stats: Mapping[str, Any]
    progress: Mapping[str, Any]


class Metrics:
    """The measures of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "freeport_http_request_duration_seconds",
            "Requests by route, as it is written in the OpenAPI document, and status",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._requests_of: dict[tuple[str, str, int], Histogram] = {}
        cached = Counter(
            "freeport_cache_answers",
            "Answers of kept routes: hit, shared (asked for while it was made), miss, unknown (no version was known)",
            ["outcome"],
            registry=self._registry,
        )
        self._cached = {outcome: cached.labels(outcome) for outcome in ("hit", "shared", "miss", "unknown")}
        self._cache_bytes = Gauge("freeport_cache_bytes", "What is kept of answers", registry=self._registry)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        kind = method, route, status
        if kind not in self._requests_of:
            self._requests_of[kind] = self._requests.labels(method, route, str(status))
        self._requests_of[kind].observe(seconds)

    def count_cached(self, outcome: str) -> None:
        self._cached[outcome].inc()

    def watch_cache(self, size: Callable[[], float]) -> None:
        """Tell of as many bytes as `size` says when it is asked."""
        self._cache_bytes.set_function(size)

    def exposition(self, facts: Facts | None, *, machinery: bool) -> bytes:
        """All of it in Prometheus' text format; without `facts` the database is said to be away.

        Without `machinery` only what anybody may know: nothing of hosts, processes and requests.
        """
        told = CollectorRegistry()
        told.register(_Told([_gauge("database_up", "1 if the database answered", facts is not None)]))
        if facts is not None:
            told.register(_Told([*of_stats(facts.stats), of_runs(facts.progress)]))
        if facts is not None and machinery:
            told.register(_Told(of_processes(facts.progress)))
        return generate_latest(told) + (generate_latest(self._registry) if machinery else b"")


class _Told(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


async def gather(engine: AsyncEngine) -> Facts | None:
    """Ask the database, for at most `PATIENCE_SECONDS`; None when it does not answer."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), engine.connect() as pooled:
            connection = (await pooled.get_raw_connection()).driver_connection
            return Facts(orjson.loads(await stats(connection, RUN_STATES)), await progress(connection))
    except (TimeoutError, SQLAlchemyError, *DATABASE_ERRORS, OSError) as error:
        if not is_transient(error):
            log.exception("metrics without the database")
        return None


def of_stats(stats: Mapping[str, Any]) -> Iterator[Metric]:
    """The gauges of regions, of what upstream grants, and of what waits."""
    yield from _of_regions(stats["regions"])
    yield from _of_upstream(stats["upstream"]["limits"])
    backlogs = stats["backlogs"].items()
    yield _gauges("backlog", "What is still to be read upstream", ("of",), [((of,), n) for of, n in backlogs])
    waiting = stats["outbox"].items()
    yield _gauges("outbox_messages", "Not yet on the wire", ("service",), [((name,), n) for name, n in waiting])


def of_runs(progress: Mapping[str, Any]) -> Metric:
    runs = [((run["dataset"], run["state"]), run["n"]) for run in progress["runs"]]
    return _gauges("runs", "Runs that are on record", ("dataset", "state"), runs)


def of_processes(progress: Mapping[str, Any]) -> Iterator[Metric]:
    """The gauges of every process, whether or not it has a port of its own."""
    processes = [((each["service"], each["instance"]), each) for each in progress["processes"]]
    names = ("service", "instance")
    yield _gauges("process_alive", "1 if it was heard lately", names, [(of, each["alive"]) for of, each in processes])
    silence = [(of, each["silent_seconds"]) for of, each in processes]
    yield _gauges("process_silent_seconds", "Seconds since it was last heard", names, silence)
    said = [((*of, measure), value) for of, each in processes for measure, value in _numbers(each["progress"])]
    yield _gauges("process_progress", "What it last said of itself, by name", (*names, "measure"), said)


def _of_regions(regions: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    of = [((str(region["region_id"]), region["name"] or ""), region) for region in regions]
    names = ("region_id", "region")
    for column, text in REGION_GAUGES.items():
        yield _gauges(f"region_{column}", text, names, [(label, region[column]) for label, region in of])
    for column, text in {
        "generation": "Last-Modified of the region's newest list",
        "fresh_until": "Upstream has nothing newer before",
        "next_sweep_at": "The region's schedule is due",
    }.items():
        instants = [(label, _unix(region[column])) for label, region in of]
        yield _gauges(f"region_{column.removesuffix('_at')}_timestamp_seconds", text, names, instants)
    items = [((*label, state), n) for label, region in of for state, n in region["items"].items()]
    yield _gauges("region_items", "Contracts by how far their items are read", (*names, "state"), items)


def _of_upstream(limits: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    of = [((limit["name"],), limit) for limit in limits]
    for column, text in {"remaining": "What upstream still grants", "allowance": "What it grants in all"}.items():
        yield _gauges(f"upstream_{column}", text, ("limit",), [(label, limit[column]) for label, limit in of])
    paused = [(label, _unix(limit["paused_until"]) or 0) for label, limit in of]
    yield _gauges("upstream_paused_until_timestamp_seconds", "No request before; 0: no pause", ("limit",), paused)


def _numbers(said: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in a tree, each under its path; true is 1."""
    for name, value in said.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{path}{name}.")
        elif isinstance(value, int | float):
            yield f"{path}{name}", value


def _unix(instant: str | None) -> float | None:
    return None if instant is None else datetime.fromisoformat(instant).timestamp()


def _gauge(name: str, text: str, value: float) -> Metric:
    return _gauges(name, text, (), [((), value)])


def _gauges(
    name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float | None]]
) -> Metric:
    """A gauge; what is not known is left out, for there is no number that says so."""
    family = GaugeMetricFamily(f"freeport_{name}", text, labels=labels)
    for of, value in values:
        if value is not None:
            family.add_metric(of, float(value))
    return family
