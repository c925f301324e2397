"""Puts what was measured last into docs/benchmarks.md and draws docs/ingest-scale.svg: `python -m bench.document`."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.chart import drawn
from bench.delays import tables
from bench.figures import Measured, table
from bench.read.figures import table as read_table
from bench.schedule_table import table as schedule_table
from bench.schedulers.table import table as schedulers_table

MEASURED: Final = Path("build/bench")
PAGE: Final = Path("docs/benchmarks.md")
CHART: Final = Path("docs/ingest-scale.svg")
TABLES: Final = {
    "ingest": table,
    "ingest-scale": table,
    "freshness": tables,
    "read": read_table,
    "schedule": schedule_table,
    "schedulers": schedulers_table,
}


def with_table(page: str, name: str, text: str) -> str:
    """The page with another text between the marks of `name`; raises `ValueError` where it has none."""
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    found, count = marks.subn(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", page)
    if count != 1:
        raise ValueError(f"{PAGE} has no place for {name}")
    return found


def scale_chart(measured: Mapping[str, Measured]) -> str:
    """Only what came to its end."""
    ended = [one for one in measured.values() if one["state"] == "succeeded"]
    return drawn(
        [(one["contracts"], one["seconds"]) for one in ended],
        [(one["contracts"], one["floor_seconds"]) for one in ended],
    )


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, told in TABLES.items():
        source = MEASURED / f"{name}.json"
        if source.exists():
            measured = json.loads(source.read_text(encoding="utf-8"))
            page = with_table(page, name, told(measured))
            if name == "ingest-scale":
                CHART.write_text(scale_chart(measured), encoding="utf-8")
    PAGE.write_text(page, encoding="utf-8")
    print(f"written: {PAGE}")


if __name__ == "__main__":
    main()
