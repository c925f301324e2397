"""What was measured, as a table and as what misses its goal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from bench.figures import Measured, markdown
from bench.read.queries import QUERIES, Goal

COLUMNS: Final = (
    "",
    "clients",
    "p50 ms",
    "p99 ms",
    "requests/s",
    "body B",
    "constant p50 ms",
    "constant/s",
    "share",
    "statement p50 ms",
    "statement/s",
    "api µs",
    "constant µs",
    "postgres µs",
    "goal",
)
GOALS: Final = {query.name: query.goal for query in QUERIES}
GROWTH: Final = 2.0
"""By so much a figure may be worse at ten times the size."""
LEAST_MS: Final = 1.0
"""What stays below this at ten times the size has not grown: it is the machine's noise."""


def middle(rounds: Sequence[Measured]) -> Measured:
    """Of several measurements of the same, the middle of each figure by itself; the higher of two."""
    found: dict[str, Any] = {}
    for name, first in rounds[0].items():
        each = [one[name] for one in rounds]
        found[name] = middle(each) if isinstance(first, Mapping) else sorted(each)[len(each) // 2]
    return found


def share(one: Measured) -> float:
    """Of the requests a second that a constant body is answered with."""
    return float(one["requests_per_second"] / one["floor"]["constant"]["requests_per_second"])


def line(one: Measured) -> str:
    """A measurement in a few words."""
    rate = f"{one['requests_per_second']:,.0f}/s, {share(one):.0%} of a constant body's"
    spent = f"api {one['api_us']:,} µs, postgres {one['postgres_us']:,} µs"
    return f"p50 {one['p50_ms']:.2f} ms, p99 {one['p99_ms']:.2f} ms, {rate}, {spent}"


def misses(name: str, one: Measured) -> Iterator[str]:
    """What a query does not reach: latencies are judged for one client, shares for many."""
    goal: Goal = one_goal(name)
    if one["clients"] == 1:
        for figure in ("p50_ms", "p99_ms"):
            most = getattr(goal, figure)
            if most is not None and one[figure] > most:
                yield f"{figure.removesuffix('_ms')} {one[figure]:.1f} ms, not {most:g}"
    elif goal.share is not None and share(one) < goal.share:
        yield f"{share(one):.0%} of the constant body's requests, not {goal.share:.0%}"


def one_goal(name: str) -> Goal:
    return GOALS.get(name.rsplit("_", 2)[0], Goal())


def growth(measured: Mapping[str, Measured]) -> Iterator[str]:
    """Figures that more than doubled at ten times the size."""
    for name, large in measured.items():
        small = measured.get(name.replace("_large_", "_small_"))
        if "_large_" not in name or small is None:
            continue
        for figure in ("p50_ms", "p99_ms"):
            if large[figure] > max(LEAST_MS, GROWTH * small[figure]):
                yield f"{name}: {figure.removesuffix('_ms')} {large[figure]:.1f} ms, {small[figure]:.1f} ms before"
        if large["requests_per_second"] * GROWTH < small["requests_per_second"]:
            yield f"{name}: {large['requests_per_second']:.0f} requests/s, {small['requests_per_second']:.0f} before"


def row(name: str, one: Measured) -> list[str]:
    constant, statement = one["floor"]["constant"], one["floor"]["statement"]
    missed = list(misses(name, one))
    goal = one_goal(name)
    judged = goal.share is not None if one["clients"] > 1 else goal.p50_ms or goal.p99_ms
    return [
        name.rsplit("_", 1)[0],
        str(one["clients"]),
        f"{one['p50_ms']:.2f}",
        f"{one['p99_ms']:.2f}",
        f"{one['requests_per_second']:,.0f}",
        f"{one['body_bytes']:,}",
        f"{constant['p50_ms']:.2f}",
        f"{constant['requests_per_second']:,.0f}",
        f"{share(one):.0%}",
        f"{statement['p50_ms']:.2f}",
        f"{statement['requests_per_second']:,.0f}",
        f"{one['api_us']:,}",
        f"{constant['api_us']:,}",
        f"{one['postgres_us']:,}",
        "missed" if missed else "met" if judged else "",
    ]


def table(measured: Mapping[str, Any]) -> str:
    """A Markdown table that reads as well in a terminal."""
    return markdown([COLUMNS, *(row(name, one) for name, one in measured.items())])


def verdict(measured: Mapping[str, Measured]) -> list[str]:
    """All that misses, a line each."""
    missed = [f"{name}: {what}" for name, one in measured.items() for what in misses(name, one)]
    return [*missed, *growth(measured)]
