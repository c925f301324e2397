import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import figures
from bench.chart import drawn, ticks
from bench.document import with_table
from bench.figures import Figures
from bench.processes import peak_kb
from bench.schedule_table import table as schedule_table
from bench.world import next_noon

CPU = {"ingestor": 7.25, "simulator": 3.0, "postgres": 4.0, "broker": 0.5}


def measured(**other: Any) -> Mapping[str, Any]:
    plain: dict[str, Any] = {
        "seconds": 12.5,
        "listed_seconds": 1.5,
        "state": "succeeded",
        "contracts": 46_000,
        "items_wanted": 37_000,
        "items_done": 37_000,
        "items": 149_000,
        "upstream_requests": 37_046,
        "rows_written": 0,
        "peak_rss_mb": 180.25,
        "cpu_seconds": CPU,
        "floor_http_seconds": 4.0,
        "floor_copy_seconds": 1.0,
        "published_seconds": 13.0,
    }
    return Figures(**{**plain, **other}).as_json()


def test_the_report_has_what_every_scenario_promises(tmp_path: Path) -> None:
    report = tmp_path / "new" / "ingest.json"

    figures.write(report, {"cold_0ms": measured()})

    found = json.loads(report.read_text())["cold_0ms"]
    assert found["seconds"] == 12.5
    assert found["contracts_per_second"] == 3680.0
    assert found["peak_rss_mb"] == 180.25
    assert found["floor_seconds"] == 5.0
    assert found["cpu_seconds"] == CPU


def test_the_table_is_markdown_with_a_line_for_each_scenario() -> None:
    head, rule, cold, cut = figures.table(
        {"cold_0ms": measured(), "churn_0ms": measured(state="running", items_done=12_000)}
    ).splitlines()

    assert head.count("|") == rule.count("|") == cold.count("|") == len(figures.COLUMNS) + 1
    assert len({len(head), len(rule), len(cold), len(cut)}) == 1
    assert "  2.5 |" in cold
    assert "running: 12,000 of 37,000 item lists" in cut


def test_the_peak_of_memory_is_read_from_the_kernels_words() -> None:
    assert peak_kb("Name:\tpython\nVmPeak:\t  999 kB\nVmHWM:\t  184320 kB\nVmRSS:\t  1 kB\n") == 184_320
    with pytest.raises(ValueError, match="VmHWM"):
        peak_kb("Name:\tzombie\n")


@pytest.mark.parametrize("most", [0.8, 6, 7, 61, 199_870, 200_000])
def test_the_ticks_of_an_axis_hold_the_largest_value_and_are_few(most: float) -> None:
    found = ticks(most)

    assert found[0] == 0
    assert found[-2] < most <= found[-1]
    assert len(found) <= 7


def test_the_chart_is_an_svg_with_a_mark_for_each_measurement() -> None:
    chart = ET.fromstring(drawn([(5_000, 2.0), (200_000, 70.0)], [(5_000, 1.0), (200_000, 30.0)]))  # noqa: S314 - our own

    marks = [element.get("class") for element in chart.iter("{http://www.w3.org/2000/svg}circle")]
    assert marks.count("measured") == marks.count("floor") == 2 + 1  # and its line in the legend


def test_a_table_takes_the_place_of_the_one_before() -> None:
    page = "before\n<!-- ingest -->\n| old |\n<!-- /ingest -->\nafter\n"

    once = with_table(page, "ingest", "| new |")

    assert once == "before\n<!-- ingest -->\n\n| new |\n\n<!-- /ingest -->\nafter\n"
    assert with_table(once, "ingest", "| new |") == once
    with pytest.raises(ValueError, match="no place"):
        with_table(page, "scale", "")


def test_upstreams_time_begins_at_the_next_noon() -> None:
    assert next_noon(datetime(2026, 11, 22, 11, 59, tzinfo=UTC)) == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert next_noon(datetime(2026, 11, 22, 12, 1, tzinfo=UTC)) == datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_table_of_schedules_shows_what_was_measured_and_leaves_out_what_was_not() -> None:
    text = schedule_table({"spread_1000_1": {"slots": 1_000, "p99_ms": 12}, "idle_10000_1": {"slots": 0}})

    assert "| spread 1000 1 | 1,000 |  | 12 |" in text
    assert "| idle 10000 1 | 0 |" in text
