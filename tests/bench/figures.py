"""What a measurement says, and how it is written down."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Measured = Mapping[str, Any]
"""The JSON of one scenario."""
COLUMNS = (
    "",
    "seconds",
    "floor",
    "times",
    "contracts/s",
    "requests",
    "ingestor",
    "simulator",
    "postgres",
    "broker",
    "peak MB",
    "rows written",
    "run",
)


@dataclass(frozen=True, slots=True)
class Figures:
    """One scenario. `seconds` from the command's sending to the end of its run; processor time within these.

    The list is stored after `listed_seconds`, and all that happened is on Kafka after `published_seconds`.
    The floor is the sum of its two parts. `rows_written` counts inserts, updates and deletes of contracts and items.
    """

    seconds: float
    listed_seconds: float
    state: str
    contracts: int
    items_wanted: int
    items_done: int
    items: int
    upstream_requests: int
    rows_written: int
    peak_rss_mb: float
    cpu_seconds: Mapping[str, float]
    floor_http_seconds: float
    floor_copy_seconds: float
    published_seconds: float

    def as_json(self) -> dict[str, Any]:
        floor = self.floor_http_seconds + self.floor_copy_seconds
        return {
            **{name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()},
            "contracts_per_second": round(self.contracts / self.seconds, 1),
            "floor_seconds": round(floor, 3),
        }


def row(name: str, measured: Measured) -> list[str]:
    """One line of the table; processor time in seconds."""
    seconds, floor, cpu = measured["seconds"], measured["floor_seconds"], measured["cpu_seconds"]
    outcome = measured["state"]
    if outcome not in {"succeeded", "partial"}:
        outcome = f"{outcome}: {measured['items_done']:,} of {measured['items_wanted']:,} item lists"
    return [
        name,
        f"{seconds:.2f}",
        f"{floor:.2f}",
        f"{seconds / floor:.1f}" if floor else "",
        f"{measured['contracts_per_second']:,.0f}",
        f"{measured['upstream_requests']:,}",
        *(f"{cpu[part]:.1f}" for part in ("ingestor", "simulator", "postgres", "broker")),
        f"{measured['peak_rss_mb']:.0f}",
        f"{measured['rows_written']:,}",
        outcome,
    ]


def table(measured: Mapping[str, Measured]) -> str:
    """A Markdown table that reads as well in a terminal."""
    return markdown([COLUMNS, *(row(name, one) for name, one in measured.items())])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are aligned; the first of `rows` is its head."""
    widths = [max(len(line[index]) for line in rows) for index in range(len(rows[0]))]
    head, *body = [
        "| " + " | ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in rows
    ]
    rule = "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|"
    return "\n".join([head, rule, *body])


def write(path: Path, measured: Mapping[str, Measured]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
