"""What each service's role may do with the tables, tried and not only looked up."""
# ruff: noqa: S608 - the statements are made of the tables' own names

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.embedded.postgres import EmbeddedPostgres
from common import migrations, roles
from common.database import create_engine
from common.rights import EACH_ITS_OWN, MIGRATED_TO, READERS, SERVICES, TAKERS, WRITERS, rights, role
from common.settings import ProvisionSettings
from common.tables import metadata
from support.databases import Databases, as_service, settings_for
from support.stand_ins import free_port

OWN_ROWS = {
    "outbox": (
        "INSERT INTO outbox (service, topic, key, event_id, event_type, event_time, payload)"
        " VALUES ($1, 't', 'k', gen_random_uuid(), 'e', now(), 'p')"
    ),
    "inbox": "INSERT INTO inbox (consumer, event_id) VALUES ($1, gen_random_uuid())",
    "dead_letters": (
        'INSERT INTO dead_letters (dead_letter_id, consumer, topic, partition, "offset", timestamp_ms, header_names,'
        " header_values, reason) VALUES (gen_random_uuid(), $1, 't', 0, 0, 0, '{}', '{}', 'r')"
    ),
    "heartbeats": (
        "INSERT INTO heartbeats (service, instance, started_at, beat_at, progress)"
        " VALUES ($1, 'i', now(), now() - interval '2 days', '{}')"
    ),
}
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[Any]:
    async with connected(database_url) as connection:
        yield connection


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def connection(database_url: str, service: str) -> AsyncIterator[Any]:
    """As the service connects."""
    async with connected(as_service(database_url, service)) as connection:
        yield connection


# The declaration


async def test_every_table_and_view_that_there_is_has_a_writer(owner: Any) -> None:
    found = await owner.fetch(
        "SELECT relname FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"
    )

    assert {row["relname"] for row in found} == {*WRITERS, MIGRATED_TO}
    assert set(metadata.tables) == set(WRITERS)
    assert set(READERS) <= set(WRITERS)


async def test_a_role_has_the_rights_that_are_declared_and_no_others(owner: Any, service: str) -> None:
    granted = {
        (table, privilege)
        for table in (*WRITERS, MIGRATED_TO)
        for privilege in PRIVILEGES
        if await owner.fetchval("SELECT has_table_privilege($1, $2, $3)", role(service), table, privilege)
    }

    assert granted == rights(service)


async def test_no_sequence_needs_a_right_of_its_own(owner: Any) -> None:
    owned = await owner.fetchval(
        "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
        "   AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'i')"
    )

    assert owned == 0


# What that comes to


async def test_what_is_another_s_cannot_be_written(connection: Any, service: str) -> None:
    others = [table for table, writer in WRITERS.items() if writer not in {service, EACH_ITS_OWN}]
    assert others

    for table in others:
        column = next(each.name for each in metadata.tables[table].c if each.identity is None)
        taking = (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}")
        for statement in (
            f"INSERT INTO {table} DEFAULT VALUES",
            *(() if TAKERS.get(table) == service else taking),
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_nothing_can_be_emptied_altered_or_added(connection: Any) -> None:
    for table in WRITERS:
        for statement in (
            f"TRUNCATE {table}",
            f"ALTER TABLE {table} ADD COLUMN more integer",
            f"DROP TABLE {table}",
            f"CREATE INDEX ON {table} ((1))",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    for statement in (
        "CREATE TABLE mine (a integer)",
        "SET ROLE freeport",
        "CREATE ROLE mine",
        "SELECT * FROM pg_authid",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


@pytest.mark.parametrize("table", OWN_ROWS)
async def test_of_what_all_write_each_writes_its_own_rows_and_sees_all(
    owner: Any, connection: Any, service: str, table: str
) -> None:
    column = "service" if table in {"outbox", "heartbeats"} else "consumer"
    for each in SERVICES:
        await owner.execute(OWN_ROWS[table], each)

    for other in set(SERVICES) - {service}:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(OWN_ROWS[table].replace("'i'", "'j'"), other)
    seen = await connection.fetchval(f"SELECT count(*) FROM {table}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(f"UPDATE {table} SET {column} = 'somebody'")
    deleted = await connection.execute(f"DELETE FROM {table}")

    assert (seen, deleted) == (3, "DELETE 1")
    left = await owner.fetch(f"SELECT {column} FROM {table}")
    assert {row[0] for row in left} == set(SERVICES) - {service}


async def test_a_relay_s_dead_letters_are_its_service_s(connection: Any, service: str) -> None:
    await connection.execute(OWN_ROWS["dead_letters"], f"relay.{service}")
    for forged in ("relay.somebody", f"{service}.relay"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(OWN_ROWS["dead_letters"], forged)


async def test_only_the_api_sees_keys_and_it_can_neither_make_nor_change_nor_revive_one(database_url: str) -> None:
    for service in SERVICES:
        async with connected(as_service(database_url, service)) as connection:
            if service == "api":
                assert await connection.fetchval("SELECT count(*) FROM api_keys") == 1
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetchval("SELECT count(*) FROM api_keys")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("UPDATE api_keys SET revoked_at = NULL")


# Provisioning


async def catalogue(owner: Any) -> list[Any]:
    """What changes whenever a right or a policy is given or taken."""
    found: list[Any] = await owner.fetch(
        "SELECT 'class', relname, xmin::text FROM pg_class WHERE relname = ANY($1)"
        " UNION ALL SELECT 'policy', polname, xmin::text FROM pg_policy ORDER BY 1, 2, 3",
        [*WRITERS, MIGRATED_TO],
    )
    return found


async def established(engine: AsyncEngine, **passwords: str) -> None:
    async with engine.begin() as connection:
        await roles.establish(connection, passwords)


async def test_a_second_time_nothing_is_written(engine: AsyncEngine, owner: Any) -> None:
    before = await catalogue(owner)

    await established(engine)

    assert await catalogue(owner) == before


async def test_what_was_given_by_hand_is_taken_and_what_was_taken_is_given(
    engine: AsyncEngine, owner: Any, database_url: str
) -> None:
    await owner.execute("GRANT INSERT, TRUNCATE ON contracts TO freeport_api; REVOKE ALL ON outbox FROM freeport_api")
    await owner.execute("CREATE TABLE theirs (a integer); GRANT ALL ON theirs TO freeport_api")

    await established(engine)

    async with connected(as_service(database_url, "api")) as connection:
        await connection.execute("DELETE FROM outbox")
        await connection.execute("INSERT INTO theirs VALUES (1)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("INSERT INTO contracts DEFAULT VALUES")


async def test_a_database_that_is_not_open_to_all_is_opened_to_the_services(
    engine: AsyncEngine, owner: Any, database_url: str
) -> None:
    await owner.execute(
        f"REVOKE ALL ON DATABASE {database_url.rpartition('/')[2]} FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC"
    )

    await established(engine)

    async with connected(as_service(database_url, "ingestor")) as connection:
        await connection.execute("CREATE TEMPORARY TABLE stage (LIKE contracts)")


@contextmanager
def own_server(files: Path, *, trusting: bool) -> Iterator[EmbeddedPostgres]:
    """A server with no roles but the owner's; one that does not trust wants the services' passwords."""
    server = EmbeddedPostgres(files, free_port(), durable=False)
    if not trusting:
        rules = server.directory / "pg_hba.conf"
        services = ",".join(role(service) for service in SERVICES)
        rules.write_text(f"host all {services} 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    with server:
        yield server


async def migrated(url: str, **passwords: str) -> None:
    engine = create_engine(settings_for(url), service="test")
    try:
        await migrations.upgrade(engine, then=lambda connection: roles.establish(connection, passwords))
    finally:
        await engine.dispose()


async def test_services_log_in_with_the_passwords_given_and_a_new_one_takes_the_old_one_s_place(
    fresh_cluster: Path,
) -> None:
    with own_server(fresh_cluster, trusting=False) as server:
        for password in ("first and \"quoted'", "second"):
            await migrated(server.url, api=password)
            connection = await asyncpg.connect(as_service(server.url, "api"), password=password)
            await connection.close()

        for wrong in ("first and \"quoted'", ""):
            with pytest.raises((asyncpg.InvalidPasswordError, asyncpg.PostgresError)):
                await asyncpg.connect(as_service(server.url, "api"), password=wrong)
        with pytest.raises(asyncpg.PostgresError):
            await asyncpg.connect(as_service(server.url, "ingestor"), password="")
        async with connected(server.url) as owner:
            stored = await owner.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = 'freeport_api'")
    assert stored.startswith("SCRAM-SHA-256$4096:")
    assert "second" not in server.log.read_text()


async def test_who_may_not_make_roles_gives_rights_to_those_that_there_are(fresh_cluster: Path) -> None:
    with own_server(fresh_cluster, trusting=True) as server:
        async with connected(server.url) as superuser:
            await superuser.execute("CREATE ROLE modest LOGIN")
            await superuser.execute("CREATE DATABASE theirs OWNER modest")
            await superuser.execute("CREATE ROLE freeport_api LOGIN")
        url = Databases(server.url).named("theirs").replace("//freeport@", "//modest@")

        await migrated(url, api="cannot be set")

        async with connected(url.replace("//modest@", "//freeport_api@")) as api:
            assert await api.fetchval("SELECT count(*) FROM contracts") == 0
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await api.execute("DELETE FROM contracts")
        async with connected(url) as everything:
            for statement in OWN_ROWS.values():
                await everything.execute(statement, "ingestor")


async def test_an_owner_who_may_make_roles_need_not_be_a_superuser(fresh_cluster: Path) -> None:
    with own_server(fresh_cluster, trusting=True) as server:
        async with connected(server.url) as superuser:
            await superuser.execute("CREATE ROLE modest LOGIN CREATEROLE")
            await superuser.execute("CREATE DATABASE theirs OWNER modest")
        url = Databases(server.url).named("theirs").replace("//freeport@", "//modest@")

        for _ in range(2):
            await migrated(url, **dict.fromkeys(SERVICES, "set"))

        for service in SERVICES:
            async with connected(url.replace("//modest@", f"//{role(service)}@")) as connection:
                assert await connection.fetchval("SELECT count(*) FROM contracts") == 0


def test_a_password_that_not_every_client_would_send_alike_is_refused() -> None:
    with pytest.raises(ValidationError, match="has to be of printable ASCII") as raised:
        ProvisionSettings(
            database_url=SecretStr("postgresql://a@b/c"),
            kafka_bootstrap_servers="a:1",
            api_database_password=SecretStr("geheimnißvoll"),
        )
    assert "geheim" not in str(raised.value)
