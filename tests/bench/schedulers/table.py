from collections.abc import Mapping
from typing import Any, Final

COLUMNS: Final = {
    "slots": "expected",
    "on time": "on_time",
    "late": "late",
    "missed": "missed",
    "doubled": "doubled",
    "p50, ms": "p50_ms",
    "p99, ms": "p99_ms",
    "max, ms": "max_ms",
    "scheduler, %": "cpu_percent",
    "PostgreSQL, %": "postgres_cpu_percent",
    "MB": "peak_mb",
}
TITLES: Final = {
    "thousand": "none, 1,000 schedules",
    "steady": "none, 200 schedules",
    "replicas": "a replica added and removed",
    "kills": "kill -9 every 5 s",
    "pause": "SIGSTOP for 30 s",
    "clock_forward": "the clock an hour ahead, for 10 s",
    "clock_back": "the clock an hour behind, for 10 s",
}


def table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """What became of the slots of each system in each ordeal, as a table in Markdown."""
    head = ["ordeal", "system", *COLUMNS]
    rows = [
        [TITLES.get(ordeal, ordeal), system, *(_shown(one.get(key)) for key in COLUMNS.values())]
        for ordeal, systems in measured.items()
        for system, one in systems.items()
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---", "---", *("---:" for _ in COLUMNS)], *rows])


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,}"
