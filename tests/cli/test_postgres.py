import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from cli.embedded import memory
from cli.embedded.postgres import EmbeddedPostgres
from cli.errors import StackError
from cli.ports import Port, require_free


@pytest.fixture
def unmade(spacious: Path, port: int) -> Iterator[EmbeddedPostgres]:
    """A server that has no files yet."""
    server = EmbeddedPostgres(spacious / "postgres", port, durable=False)
    yield server
    server.stop()


@pytest.fixture
def postgres(unmade: EmbeddedPostgres, fresh_cluster: Path) -> EmbeddedPostgres:
    fresh_cluster.rename(unmade.directory)
    return unmade


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_a_path_with_spaces_serves_tcp_as_freeport_in_utf8(unmade: EmbeddedPostgres) -> None:
    url = unmade.start()

    assert await ask(url, "SELECT current_user || ' ' || current_database()") == "freeport freeport"
    assert await ask(url, "SELECT upper('ünïcode') || current_setting('server_encoding')") == "ÜNÏCODEUTF8"
    assert await ask(url, "SELECT current_setting('listen_addresses')") == "127.0.0.1"


async def test_a_server_that_is_to_last_holds_a_quarter_of_the_memory_and_one_of_a_test_little(
    fresh_cluster: Path, port: int
) -> None:
    expected = memory.megabytes_of_buffers() * memory.MEGABYTE

    with EmbeddedPostgres(fresh_cluster, port) as server:
        assert await ask(server.url, "SELECT pg_size_bytes(current_setting('shared_buffers'))") == expected
    with EmbeddedPostgres(fresh_cluster, port, durable=False) as server:
        assert await ask(server.url, "SHOW shared_buffers") == "128MB"


@pytest.mark.parametrize(
    ("limit", "megabytes"),
    [("2147483648", 512), ("max", None), ("9223372036854771712", None), ("1048576", 128), ("", None)],
)
def test_a_container_has_no_more_than_it_was_given(
    limit: str, megabytes: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CONTROL_GROUP_LIMITS", [given, tmp_path / "of-another-version"])
    unlimited = memory.megabytes_of_buffers()
    assert unlimited == min(max(128, psutil.virtual_memory().total // 4 // memory.MEGABYTE), 4096)

    given.write_text(limit + "\n", encoding="ascii")

    assert memory.megabytes_of_buffers() == (megabytes or unlimited)


async def test_what_was_committed_survives_a_kill_of_the_server(postgres: EmbeddedPostgres) -> None:
    url = postgres.start()
    await ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")

    postgres.kill()
    postgres.start()

    assert await ask(url, "SELECT answer FROM kept") == 42


async def test_data_survive_a_stop_and_the_port_is_free_after_it(postgres: EmbeddedPostgres, port: int) -> None:
    url = postgres.start()
    await ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    session = await asyncpg.connect(url)

    postgres.stop()

    require_free([Port("PORT", "127.0.0.1", port)])
    postgres.start()
    assert await ask(url, "SELECT answer FROM kept") == 42
    session.terminate()


async def test_a_stale_pid_file_that_names_a_living_stranger_leaves_the_stranger_alone(
    postgres: EmbeddedPostgres, bystander: subprocess.Popen[bytes]
) -> None:
    postgres.start()
    pid_file = postgres.directory / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.kill()
    pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")

    url = postgres.start()
    assert await ask(url, "SELECT 1") == 1
    postgres.stop()

    assert bystander.poll() is None


@pytest.mark.parametrize("content", ["", "nonsense\n", "99999999\n"])
async def test_a_damaged_pid_file_does_not_stop_the_start(postgres: EmbeddedPostgres, content: str) -> None:
    postgres.start()
    postgres.kill()
    (postgres.directory / "postmaster.pid").write_text(content)

    assert await ask(postgres.start(), "SELECT 1") == 1


async def test_half_made_files_are_made_again(unmade: EmbeddedPostgres) -> None:
    half = unmade.directory.with_name("postgres.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")

    assert await ask(unmade.start(), "SELECT 1") == 1


def test_a_directory_with_other_things_is_left_alone(unmade: EmbeddedPostgres) -> None:
    unmade.directory.mkdir()
    (unmade.directory / "thesis.txt").write_text("years of work")

    with pytest.raises(StackError, match="holds something else"):
        unmade.start()

    assert (unmade.directory / "thesis.txt").read_text() == "years of work"


def test_a_taken_port_is_named_in_the_error(postgres: EmbeddedPostgres) -> None:
    with socket.create_server(("127.0.0.1", postgres.port)), pytest.raises(StackError, match="Address already in use"):
        postgres.start()


def test_nothing_above_the_data_directory_changes_its_permissions(unmade: EmbeddedPostgres) -> None:
    unmade.directory.parent.chmod(0o700)

    unmade.start()

    assert unmade.directory.parent.stat().st_mode & 0o777 == 0o700
    assert unmade.directory.stat().st_uid == os.geteuid()


NOBODY = 65534


def give_away(directory: Path, uid: int) -> None:
    for path in [directory, *directory.rglob("*")]:
        os.chown(path, uid, uid)


def others_reach(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.parents)


@pytest.mark.skipif(
    os.geteuid() != 0 or not others_reach(Path(sys.prefix)),
    reason="needs root, and an installation that other users can reach",
)
async def test_root_runs_a_database_of_another_user_as_that_user(
    tmp_path: Path, fresh_cluster: Path, port: int
) -> None:
    for parent in [tmp_path, *tmp_path.parents[:3]]:
        parent.chmod(0o755)
    give_away(fresh_cluster, NOBODY)

    with EmbeddedPostgres(fresh_cluster, port, durable=False) as postgres:
        assert await ask(postgres.url, "SELECT 1") == 1
        assert psutil.Process(postgres.pid).uids().effective == NOBODY


async def test_the_death_of_the_postmaster_takes_its_sessions_along(postgres: EmbeddedPostgres) -> None:
    session = await asyncpg.connect(postgres.start())
    assert postgres.pid is not None

    os.kill(postgres.pid, signal.SIGQUIT)

    with pytest.raises((asyncpg.PostgresError, ConnectionError, asyncpg.InterfaceError)):
        await session.fetchval("SELECT pg_sleep(60)")
