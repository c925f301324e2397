import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest


def simulator(folder: Path, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "esi_simulator"],
        cwd=folder,
        env={**os.environ, "ESI_SIM_PORT": "0", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_in_one_line_and_stops_cleanly(tmp_path: Path, stop: signal.Signals) -> None:
    with simulator(tmp_path) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        process.send_signal(stop)
        rest, errors = process.communicate()

    assert ready.startswith("ESI simulator ready on http://127.0.0.1:")
    assert (rest, errors, process.returncode) == ("", "", 0)


@pytest.mark.parametrize(
    ("name", "setting"),
    [("ESI_SIM_LIST_TTL", "soon"), ("ESI_SIM_FORGE_CONTRACTS", "-1"), ("ESI_SIM_START", "2019-01-01T00:00:00Z")],
)
def test_a_wrong_setting_stops_the_start_and_is_named(tmp_path: Path, name: str, setting: str) -> None:
    with simulator(tmp_path, **{name: setting}) as process:
        _, errors = process.communicate()

    assert process.returncode != 0
    assert errors.startswith(f"{name}: ")
    assert errors.count("\n") == 1


def test_a_taken_port_stops_the_start_and_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with simulator(tmp_path, ESI_SIM_PORT=str(port)) as process:
            _, errors = process.communicate()

    assert process.returncode != 0
    assert f"cannot listen on 127.0.0.1:{port}" in errors
