"""A database of its own for each test, copied from one that is migrated."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import asyncpg
from pydantic import SecretStr

from common import migrations, roles
from common.database import create_engine
from common.keys import store
from common.keys.tokens import Scope, Token
from common.rights import role
from common.settings import DatabaseSettings
from ingestor.stores import universe

_numbers = count(1)

KEY = Token("0123456789ab", "5" * 64)
"""A key that every settled database admits, with all scopes."""
SHOWN = {"Authorization": f"Bearer {KEY.reveal()}"}


class Databases:
    """Databases on one server. Its URL names the server's own database."""

    def __init__(self, url: str) -> None:
        self.url = url

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
        name = f"test_{next(_numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.named(name)
        finally:
            self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.named("postgres"))
            await connection.execute(statement)
            await connection.close()

        asyncio.run(run())


def as_service(url: str, service: str) -> str:
    """The same database, as the role that a service connects as."""
    return url.replace("//freeport@", f"//{role(service)}@")


def settings_for(url: str) -> DatabaseSettings:
    return DatabaseSettings(database_url=SecretStr(url))


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
