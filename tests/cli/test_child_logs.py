import asyncio
from pathlib import Path

import pytest

from cli.child_logs import ChildLogs, important_in, put_aside
from support.stand_ins import eventually


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"level": "error", "message": "the relay stopped"}', "the relay stopped"),
        ('{"level": "critical", "event": "gone"}', "gone"),
        ('{"level": "info", "message": "swept FATAL things"}', None),
        ('{"level": "err', None),
        ("2026-11-22 05:08:11 UTC [1] FATAL:  no more room", "2026-11-22 05:08:11 UTC [1] FATAL:  no more room"),
        ("2026-11-22 05:08:11 UTC [1] LOG:  ready", None),
        ("thread 'main' panicked at broker.rs", "thread 'main' panicked at broker.rs"),
        ("", None),
    ],
)
def test_only_what_is_important_in_a_log_is_shown(line: str, shown: str | None) -> None:
    assert important_in(line) == shown


async def test_a_flood_of_errors_is_shown_in_part_and_half_a_line_not_at_all(tmp_path: Path) -> None:
    said: list[str] = []
    put_aside(tmp_path, ["api"])
    with (tmp_path / "api.log").open("a") as log:
        following = asyncio.create_task(ChildLogs(tmp_path, ["api"], say=said.append).follow())

        log.write('{"level": "error", "message": "no"}\n' * 50 + '{"level": "error"')
        log.flush()
        await eventually(lambda: len(said) >= 3)

    following.cancel()
    assert said == ["api: no"] * 3


def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    (tmp_path / "api.log").write_text("before")

    put_aside(tmp_path, ["api"])

    assert (tmp_path / "api.log").read_text() == ""
    assert (tmp_path / "api.log.1").read_text() == "before"
