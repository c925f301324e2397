from collections.abc import Mapping
from typing import Any, Final

COLUMNS: Final = {
    "slots": "slots",
    "p50, ms": "p50_ms",
    "p99, ms": "p99_ms",
    "max, ms": "max_ms",
    "decided p99, ms": "decided_p99_ms",
    "all decided, s": "seconds",
    "all sent, s": "sent_seconds",
    "slots a second": "slots_per_second",
    "schedulers, %": "scheduler_cpu_percent",
    "PostgreSQL, %": "postgres_cpu_percent",
    "MB": "scheduler_peak_mb",
    "load of the machine": "load_average",
}


def table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """What was measured of each scenario, as a table in Markdown."""
    rows = [
        [name.replace("_", " "), *(_shown(one.get(key)) for key in COLUMNS.values())] for name, one in measured.items()
    ]
    lines = [["scenario, schedules, replicas", *COLUMNS], ["---", *("---:" for _ in COLUMNS)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,}"
