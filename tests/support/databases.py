"""A database of its own for each test: a copy of one that is migrated, or one that is as good as a copy again."""

import asyncio
import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from cli.embedded.postgres import EmbeddedPostgres
from common import migrations, roles
from common.database import create_engine
from common.keys import store
from common.keys.tokens import Scope, Token
from common.rights import role
from common.settings import DatabaseSettings
from ingestor.stores import universe
from support.stand_ins import free_port

_numbers = count(1)

FEW_ROWS = 20_000
"""What more than these were written to is sooner copied anew than emptied."""

OTHERS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# The server counts each row that a session wrote, at the latest when the session ends.
WRITTEN = """
SELECT c.oid::regclass::text AS name, n.nspname = 'pg_catalog' AS is_catalog, w.added, w.altered
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
       LATERAL (SELECT pg_stat_get_tuples_inserted(c.oid) AS added,
                       pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid) AS altered) w
 WHERE c.relkind = 'r' AND NOT c.relisshared AND w.added + w.altered > 0
"""
# Tables of a session's own leave the catalog as it was, though rows of it were written. What was truncated has another
# file.
SHAPE = """
SELECT md5(string_agg(part, ',' ORDER BY part)) FROM (
  SELECT (oid, relfilenode, relname, relacl, relrowsecurity, relforcerowsecurity, reloptions)::text AS part
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
   UNION ALL SELECT (a.attrelid, a.attname, a.atttypid, a.attnotnull, a.attisdropped, a.attacl)::text
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relnamespace = 'public'::regnamespace
   UNION ALL SELECT (oid, proname, prosrc, proacl)::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
   UNION ALL SELECT (oid, conname)::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace
   UNION ALL SELECT (oid, tgname, tgenabled)::text FROM pg_trigger
   UNION ALL SELECT (oid, polname, polroles)::text FROM pg_policy
   UNION ALL SELECT (oid, nspacl)::text FROM pg_namespace WHERE nspname !~ '^pg_'
   UNION ALL SELECT (oid, extname)::text FROM pg_extension
   UNION ALL SELECT (s.starelid, s.staattnum)::text
    FROM pg_statistic s JOIN pg_class c ON c.oid = s.starelid AND c.relnamespace = 'public'::regnamespace
) parts
"""
TABLES = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
REMARK = "SELECT obj_description('public'::regnamespace, 'pg_namespace')"
RESTART = "SELECT count(setval(seqrelid::regclass, seqstart, false)) FROM pg_sequence"

KEY = Token("0123456789ab", "5" * 64)
"""A key that every settled database admits, with all scopes."""
SHOWN = {"Authorization": f"Bearer {KEY.reveal()}"}


class Databases:
    """Databases on one server. Its URL names the server's own database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._spare: list[str] = []

    def named(self, name: str) -> str:
        return f"{self.url.rsplit('/', 1)[0]}/{name}"

    def prepare(self) -> None:
        """Make the two templates: `migrated`, and `settled`, which also holds New Eden's unchanging parts and a key."""
        self._run("CREATE DATABASE migrated")
        asyncio.run(_migrate(self.named("migrated")))
        self._run("CREATE DATABASE settled TEMPLATE migrated")
        asyncio.run(_settle(self.named("settled")))

    @contextmanager
    def fresh(self, template: str) -> Iterator[str]:
        """A copy of `template` for as long as the block runs; yields its URL."""
        name = self._copy(template)
        try:
            yield self.named(name)
        finally:
            self._drop(name)

    @contextmanager
    def settled(self) -> Iterator[str]:
        """The like of a copy of `settled`, in a tenth of the time: one that is done with, and empty where that was."""
        name = self._spare.pop() if self._spare else self._copy("settled")
        try:
            yield self.named(name)
        finally:
            if asyncio.run(_emptied(self.named(name))):
                self._spare.append(name)
            else:
                self._drop(name)

    def _copy(self, template: str) -> str:
        name = f"test_{next(_numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def _drop(self, name: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.named("postgres"))
            await connection.execute(statement)
            await connection.close()

        asyncio.run(run())


def new_cluster(folder: Path) -> Path:
    """The files of a new server, to copy: `folder` is all workers', and the first that asks for them makes them."""

    def make(files: Path) -> None:
        EmbeddedPostgres(files, port=1, durable=False).prepare()

    return _made_once(folder / "cluster", make)


def prepared_cluster(folder: Path) -> Path:
    """The files of a server that has the templates, to copy, made as `new_cluster` is."""

    def make(files: Path) -> None:
        shutil.copytree(new_cluster(folder), files)
        with EmbeddedPostgres(files, free_port(), durable=False) as server:
            Databases(server.url).prepare()

    return _made_once(folder / "prepared", make)


def _made_once(place: Path, make: Callable[[Path], None]) -> Path:
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            half = Path(tempfile.mkdtemp(dir=place.parent)) / "files"
            make(half)
            half.rename(place)
    return place


def as_service(url: str, service: str) -> str:
    """The same database, as the role that a service connects as."""
    return url.replace("//freeport@", f"//{role(service)}@")


def settings_for(url: str) -> DatabaseSettings:
    return DatabaseSettings(database_url=SecretStr(url))


async def _emptied(url: str) -> bool:
    """Take out the rows that were written since the database was a copy of `settled`.

    Returns False if something else was written too: rows that `settled` has were altered, or the catalog was (tables
    made or altered, statistics), or so much was written that a new copy is cheaper.
    """
    try:
        connection = await asyncpg.connect(url)
    except asyncpg.InvalidCatalogNameError:  # the test has dropped it
        return False
    try:
        while await connection.fetchval(OTHERS):  # noqa: ASYNC110 - their ends are nothing that one is told
            await asyncio.sleep(0.002)
        written = await connection.fetch(WRITTEN)
        tables = [row for row in written if not row["is_catalog"]]
        kept, shape, settled_by = json.loads(await connection.fetchval(REMARK))
        if sum(row["added"] + row["altered"] for row in tables) > FEW_ROWS:
            return False
        if any(row["altered"] for row in tables if row["name"] in kept):
            return False
        if len(tables) < len(written) and await connection.fetchval(SHAPE) != shape:
            return False
        later = f" WHERE age(xmin) < age('{settled_by}'::xid)"
        deletions = "".join(
            f"DELETE FROM {row['name']}{later if row['name'] in kept else ''};"  # noqa: S608 - names of tables
            for row in tables
        )
        await connection.execute(f"SET session_replication_role = replica; {deletions} {RESTART}")  # no trigger fires
        await _forget_what_was_written(connection)
        return True
    finally:
        await connection.close()


async def _forget_what_was_written(connection: asyncpg.Connection) -> None:
    """Let the server count anew. Else autovacuum would analyse the template, and no copy have the noted shape."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    await connection.execute("SELECT pg_stat_reset()")


async def _migrate(url: str) -> None:
    engine = create_engine(settings_for(url), service="test")
    await migrations.upgrade(engine, then=lambda connection: roles.establish(connection, {}))
    await engine.dispose()


async def _settle(url: str) -> None:
    engine = create_engine(settings_for(url), service="test")
    async with engine.begin() as connection:
        await universe.load_packaged(connection)
        await store.admit(connection, KEY, set(Scope), note="tests")
    await engine.dispose()
    await _note_what_is_kept(url)


async def _note_what_is_kept(url: str) -> None:
    """Which tables have rows, the schema's shape, and a transaction after all that wrote: as a remark on the schema."""
    connection = await asyncpg.connect(url)
    names = [row[0] for row in await connection.fetch(TABLES)]
    kept = [name for name in names if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {name})")]  # noqa: S608 - names of tables
    settled_by = await connection.fetchval("SELECT pg_current_xact_id()::xid")
    remark = json.dumps([kept, await connection.fetchval(SHAPE), settled_by])
    await connection.execute(f"COMMENT ON SCHEMA public IS '{remark}'")
    await _forget_what_was_written(connection)
    await connection.close()
