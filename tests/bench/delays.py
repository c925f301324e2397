"""How long something took, many times over, and what of it was spent where."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from bench.figures import markdown

PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}


def percentile(delays: Sequence[float], share: float) -> float:
    """The least of `delays` that `share` percent of them do not exceed: the nearest rank, never something between."""
    ordered = sorted(delays)
    return ordered[max(math.ceil(share / 100 * len(ordered)) - 1, 0)]


def summary(delays: Sequence[float]) -> dict[str, float]:
    """The percentiles by name, in seconds to the millisecond."""
    return {name: round(percentile(delays, share), 3) for name, share in PERCENTILES.items()}


def steps(timeline: Sequence[tuple[str, float]]) -> dict[str, float]:
    """What lies between each instant of `timeline` and the one before it, by the later one's name."""
    return {name: instant - before for (_, before), (name, instant) in pairwise(timeline)}


def by_name(measured: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """The percentiles of each name, over all of `measured`."""
    names = dict.fromkeys(name for one in measured for name in one)
    return {name: summary([one[name] for one in measured if name in one]) for name in names}


def table(parts: Mapping[str, Mapping[str, float]]) -> str:
    """A Markdown table of percentiles in seconds."""
    rows = [["", *PERCENTILES], *([name, *(f"{one[of]:.3f}" for of in PERCENTILES)] for name, one in parts.items())]
    return markdown(rows)


def tables(found: Mapping[str, Mapping[str, Any]]) -> str:
    """What `bench.freshness` found at each latency, as Markdown that reads as well in a terminal."""
    return "\n\n".join(part for latency, one in found.items() for part in _parts(latency, one))


def _parts(latency: str, one: Mapping[str, Any]) -> list[str]:
    cores = ", ".join(f"{name} {spent:.2f}" for name, spent in one["cores"].items())
    read, least = one["backlog_read_per_second"], one["backlog_least"]
    backlog = f"{read:,} contracts of the backlog were read a second, never fewer than {least:,} waited"
    return [
        f"**Upstream latency {latency}**, {one['samples']} contracts. Meanwhile {backlog}. Cores used: {cores}.",
        table(one["seconds"]),
        table(one["spent"]),
    ]
