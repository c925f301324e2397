"""`freeport keys`, and the local stack's own key."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from cli.admission import local_key
from cli.local_key import kept_key
from cli.settings import StackSettings
from cli.stack import Stack
from common.keys.tokens import Scope, Token
from common.settings import DatabaseSettings
from support.databases import KEY, Databases, as_service

Freeport = Callable[..., subprocess.CompletedProcess[str]]


def keys(freeport: Freeport, database: DatabaseSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return freeport("keys", *arguments, DATABASE_URL=database.dsn())


def test_a_key_is_made_listed_and_revoked(freeport: Freeport, database: DatabaseSettings) -> None:
    made = keys(
        freeport, database, "create", "--scope", "operate", "--scope", "ingest", "--note", "a bot", "--expires", "90d"
    )
    token = Token.parse(made.stdout.strip())
    assert token is not None
    listed = keys(freeport, database, "list")
    revoked = keys(freeport, database, "revoke", token.key_id)
    again = keys(freeport, database, "revoke", token.key_id)

    assert (made.returncode, listed.returncode, revoked.returncode) == (0, 0, 0)
    assert token.secret not in listed.stdout + listed.stderr + made.stderr
    assert re.search(rf"^{token.key_id}  ingest,operate  .* -  +20.* -  +a bot$", listed.stdout, re.MULTILINE)
    assert (again.returncode, again.stdout) == (1, "")
    assert "no such key" in again.stderr


NONSENSE = [
    ("create",),
    ("create", "--scope", "everything"),
    ("create", "--scope", "ingest", "--expires", "soon"),
    ("create", "--scope", "ingest", "--expires", "0d"),
    ("create", "--scope", "ingest", "--expires", "99999w"),
    ("create", "--scope", "ingest", "--note", "two\nlines"),
    ("revoke",),
]


def test_what_makes_no_sense_is_said_and_makes_no_key(freeport: Freeport, database: DatabaseSettings) -> None:
    outcomes = [keys(freeport, database, *arguments) for arguments in NONSENSE]

    assert [(outcome.returncode, outcome.stdout) for outcome in outcomes] == [(2, "")] * len(NONSENSE)
    assert all(outcome.stderr for outcome in outcomes)
    assert keys(freeport, database, "list").stdout.count("\n") == 2


def test_a_database_that_is_away_not_prepared_or_not_ours_is_said_in_a_line(
    freeport: Freeport, port: int, databases: Databases, database_url: str
) -> None:
    away = freeport("keys", "list", DATABASE_URL=f"postgresql://freeport@127.0.0.1:{port}/freeport")
    with databases.fresh("template1") as url:
        empty = freeport("keys", "list", DATABASE_URL=url)
    refused = freeport("keys", "create", "--scope", "ingest", DATABASE_URL=as_service(database_url, "api"))

    assert (away.returncode, away.stderr) == (1, "the database cannot be reached\n")
    assert (empty.returncode, empty.stderr.splitlines()[1:]) == (1, [])
    assert empty.stderr.startswith("the database has not been prepared")
    assert (refused.returncode, refused.stderr) == (1, "the database refuses: permission denied for table api_keys\n")
    assert refused.stdout == ""


def test_the_services_own_installation_has_the_same_command(database: DatabaseSettings, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": database.dsn()}
    command = [sys.executable, "-m", "common.keys", "create", "--scope", "schedules"]

    made = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert Token.parse(made.stdout.strip())


# The local stack's own


def stack_on(database: DatabaseSettings, home: Path) -> Stack:
    home.mkdir(exist_ok=True)
    settings = StackSettings(freeport_home=home, database_url=SecretStr(database.dsn()))
    return Stack.of(settings, live=False)


async def scopes_of(database: DatabaseSettings, token: Token) -> list[str] | None:
    connection = await asyncpg.connect(database.dsn())
    try:
        found: list[str] | None = await connection.fetchval(
            "SELECT scopes FROM api_keys WHERE key_id = $1", token.key_id
        )
    finally:
        await connection.close()
    return found


async def test_the_first_start_makes_a_key_for_its_owner_s_eyes_and_the_next_has_the_same(
    database: DatabaseSettings, tmp_path: Path
) -> None:
    old = os.umask(0)
    try:
        first = await local_key(stack_on(database, tmp_path))
    finally:
        os.umask(old)
    second = await local_key(stack_on(database, tmp_path))

    assert first == second == kept_key(tmp_path)
    assert stat.S_IMODE((tmp_path / "api-key").stat().st_mode) == 0o600
    assert await scopes_of(database, first) == sorted(Scope)


async def test_a_database_that_does_not_know_the_key_learns_it(database: DatabaseSettings, tmp_path: Path) -> None:
    token = Token.new()
    (tmp_path / "api-key").write_text(f"{token.reveal()}\n")

    assert await local_key(stack_on(database, tmp_path)) == token
    assert await scopes_of(database, token) == sorted(Scope)


@pytest.mark.parametrize("content", ["", "nonsense", f"fp_{KEY.key_id}_{'7' * 64}"])
async def test_what_is_kept_and_no_valid_key_is_replaced(
    database: DatabaseSettings, tmp_path: Path, content: str
) -> None:
    (tmp_path / "api-key").write_text(content)

    token = await local_key(stack_on(database, tmp_path))

    assert token == kept_key(tmp_path)
    assert token.key_id != KEY.key_id
