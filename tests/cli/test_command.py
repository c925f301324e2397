import fcntl
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

Freeport = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("setting", ["FREEPORT_POSTGRES_PORT", "FREEPORT_KAFKA_PORT", "FREEPORT_ESI_PORT", "API_PORT"])
def test_a_taken_port_is_said_with_its_setting_and_its_holder(freeport: Freeport, setting: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        outcome = freeport("up", **{setting: str(port)})

    assert outcome.returncode == 1
    assert (
        f"{setting}: cannot listen on port {port} of 127.0.0.1: it is taken by process {os.getpid()}" in outcome.stderr
    )
    assert f"set {setting} to a free port" in outcome.stderr


def test_two_settings_with_one_port_are_said(freeport: Freeport, port: int) -> None:
    outcome = freeport("up", FREEPORT_ESI_PORT=str(port), API_PORT=str(port))

    assert outcome.returncode == 1
    assert f"API_PORT and FREEPORT_ESI_PORT are both {port}" in outcome.stderr


@pytest.mark.parametrize("home", ["/proc/freeport", "/dev/null/freeport"])
def test_an_unwritable_directory_is_said_with_what_to_do(freeport: Freeport, home: str) -> None:
    outcome = freeport("up", FREEPORT_HOME=home)

    assert outcome.returncode == 1
    assert f"cannot write to its directory {home}" in outcome.stderr
    assert "Set FREEPORT_HOME to a directory that you may write" in outcome.stderr


@pytest.mark.parametrize("agent", [None, "", "freeport/0.1", "me@home", "https://"])
def test_the_real_esi_is_not_read_without_a_contact(freeport: Freeport, agent: str | None, tmp_path: Path) -> None:
    settings = {} if agent is None else {"ESI_USER_AGENT": agent}

    outcome = freeport("up", "--live", **settings)

    assert outcome.returncode == 1
    assert "ESI_USER_AGENT must say how to reach you" in outcome.stderr
    assert not (tmp_path / "home").exists()


def test_the_real_esi_by_its_address_needs_a_contact_too(freeport: Freeport) -> None:
    outcome = freeport("demo", ESI_BASE_URL="https://esi.evetech.net/")

    assert outcome.returncode == 1
    assert "ESI_USER_AGENT" in outcome.stderr


@pytest.mark.parametrize("command", ["up", "demo", "clean"])
def test_a_second_stack_on_the_same_directory_is_refused(freeport: Freeport, tmp_path: Path, command: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711")
        lock.flush()

        outcome = freeport(command)
        status = freeport("status")

    assert outcome.returncode == 1
    assert f"Freeport already runs on {home} (process 4711)" in outcome.stderr
    assert status.returncode == 0
    assert "process 4711" in status.stdout


def test_clean_removes_what_the_stack_stored_and_nothing_else(freeport: Freeport, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name in ("postgres", "live", "logs"):
        (home / name / "deep").mkdir(parents=True)
    (home / "thesis.txt").write_text("years of work")

    outcome = freeport("clean")

    assert outcome.returncode == 0
    assert [path.name for path in home.iterdir()] == ["thesis.txt"]


def test_clean_removes_the_directory_when_it_is_empty_then(freeport: Freeport, tmp_path: Path) -> None:
    (tmp_path / "home" / "postgres").mkdir(parents=True)

    assert freeport("clean").returncode == 0
    assert not (tmp_path / "home").exists()
    assert freeport("clean").returncode == 0


def test_a_wrong_setting_is_named(freeport: Freeport) -> None:
    outcome = freeport("up", API_PORT="eighty")

    assert outcome.returncode == 2
    assert outcome.stderr.startswith("API_PORT: ")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SWEEP_INTERVAL", "soon", "Input should be a valid integer"),
        ("API_RATE_LIMIT", "x", "Requests a second that one client address may send"),
        ("ESI_TIMEOUT", "0", "greater than 0"),
        ("ESI_SIM_PAGE_SIZE", "5000", "Rows of a page"),
        ("INGESTOR_DATABASE_PASSWORD", "geheimniß", "printable ASCII"),
        ("LOG_LEVEL", "LOUD", "Least severity that is logged"),
        ("DATABASE_URL", "mysql://h/d", "must look like postgresql://"),
    ],
)
def test_a_wrong_setting_of_any_process_is_said_before_one_starts(
    freeport: Freeport, tmp_path: Path, name: str, value: str, says: str
) -> None:
    outcome = freeport("up", **{name: value})

    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert outcome.stderr.startswith(f"{name}: ")
    assert says in outcome.stderr
    assert "It is set in the environment: correct or remove it there." in outcome.stderr
    assert outcome.stderr.count(f"{name}: ") == 1
    assert not (tmp_path / "home").exists()


def test_all_wrong_settings_are_said_at_once_and_where_they_are_set(freeport: Freeport, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REGION_IDS=Jita\nesi_concurrency=many\n")

    outcome = freeport("demo", API_EXPORTS="0")

    assert outcome.returncode == 2
    named = {line.partition(":")[0]: line for line in outcome.stderr.splitlines()}
    assert {"REGION_IDS", "ESI_CONCURRENCY", "API_EXPORTS"} < named.keys()
    assert f"It is set in {tmp_path / '.env'}: " in named["ESI_CONCURRENCY"]


def test_settings_come_from_a_file_too(freeport: Freeport, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=eighty\n")

    assert freeport("status").stderr.startswith("API_PORT: ")


def test_a_replay_wants_one_scope(freeport: Freeport) -> None:
    outcome = freeport("replay", "--region", "1", "--contract", "2")

    assert outcome.returncode == 2
    assert "--region" in outcome.stderr


def test_a_replay_asks_the_api_and_says_where_its_run_is(freeport: Freeport) -> None:
    with answering(202, "/api/v1/data/runs/1") as (url, asked):
        outcome = freeport("replay", "--below-version", "2", "--force", "--api", url)

    assert (outcome.returncode, outcome.stdout) == (0, f"accepted: {url}/api/v1/data/runs/1\n")
    assert asked == [(None, {"dataset": "items", "scope": {"below_version": 2}, "force": True})]


def test_a_replay_shows_the_local_stack_s_key_to_the_local_stack_and_to_nobody_else(
    freeport: Freeport, tmp_path: Path
) -> None:
    ours, given = f"fp_0123456789ab_{'1' * 64}", f"fp_0123456789ab_{'2' * 64}"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "api-key").write_text(ours)

    with answering(202, "/") as (url, asked):
        freeport("replay", "--contract", "1", API_PORT=url.rpartition(":")[2])
        freeport("replay", "--contract", "1", "--api", url)
        freeport("replay", "--contract", "1", "--api", url, FREEPORT_API_KEY=given)
    wrong = freeport("replay", "--contract", "1", FREEPORT_API_KEY="hunter2")

    assert [shown for shown, _ in asked] == [f"Bearer {ours}", None, f"Bearer {given}"]
    assert (wrong.returncode, "hunter2" in wrong.stderr) == (1, False)


@contextmanager
def answering(status: int, location: str) -> Iterator[tuple[str, list[Any]]]:
    """An API that answers every command so; yields its address, and the keys and commands it was shown."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            command = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.headers["Authorization"], command))
            self.send_response(status)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()
