"""Connections for questions: as little as possible between a route and asyncpg.

SQLAlchemy's pool costs 0.5 ms of processor time for each request, a ping before and a reset after included, where the
same question over a bare asyncpg connection costs 0.03 ms. Questions leave nothing behind that had to be reset, and a
question that meets a dead connection is asked once more over a new one, so nothing has to be pinged.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from common.database import DATABASE_ERRORS, server_settings
from common.settings import DatabaseSettings

CONNECT_SECONDS: Final = 5
RANDOM_PAGE_COST: Final = "1.1"
"""The market is in memory, where a page costs the same wherever it is; PostgreSQL supposes a disk that turns."""
STATEMENTS: Final = 200
"""Prepared ones that a connection keeps, and..."""
STATEMENT_CHARACTERS: Final = 64 * 1024
"""... how long they may be: lists are one long statement, and planning it anew would cost more than carrying it out."""
DEAD: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
)
"""What a session that has ended meanwhile answers with."""
MOMENT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
UNFIT: Final = (asyncio.CancelledError, TimeoutError, OSError, *DATABASE_ERRORS)
"""After these nobody knows what a connection is still busy with."""


class Reader:
    """A connection outside any transaction, lent to one request."""

    def __init__(self, readers: "Readers", connection: Any, *, fresh: bool) -> None:
        self._readers = readers
        self._fresh = fresh
        self.connection = connection

    async def fetch(self, statement: str, *arguments: Any) -> Any:
        return await self._ask("fetch", statement, arguments)

    async def fetchrow(self, statement: str, *arguments: Any) -> Any:
        return await self._ask("fetchrow", statement, arguments)

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        return await self._ask("fetchval", statement, arguments)

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[None]:
        """Have all questions of the block answered as of one moment."""
        await self._ask("execute", MOMENT, ())
        self._fresh = True
        try:
            yield
        except UNFIT:
            raise
        except BaseException:
            await self.connection.execute("ROLLBACK")
            raise
        await self.connection.execute("COMMIT")

    async def _ask(self, way: str, statement: str, arguments: tuple[Any, ...]) -> Any:
        try:
            return await getattr(self.connection, way)(statement, *arguments)
        except DEAD:
            if self._fresh:
                raise
        self.connection.terminate()
        self.connection, self._fresh = await self._readers.connect(), True
        return await getattr(self.connection, way)(statement, *arguments)


class Readers:
    """As many connections as DATABASE_POOL_SIZE says, made when they are needed; whoever comes too late waits."""

    def __init__(self, settings: DatabaseSettings, *, service: str) -> None:
        self._dsn = settings.dsn()
        self._server_settings = {
            **server_settings(service),
            "random_page_cost": RANDOM_PAGE_COST,
            "max_parallel_workers_per_gather": "0",  # a question is short, and others wait for the processors
        }
        self._turns = asyncio.Semaphore(settings.database_pool_size)
        self._idle: list[Any] = []

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Reader]:
        """A connection until the block ends. The one that was used last is lent first: it has statements prepared."""
        async with self._turns:
            idle = self._idle_one()
            reader = Reader(self, idle or await self.connect(), fresh=idle is None)
            try:
                yield reader
            except UNFIT:
                reader.connection.terminate()
                raise
            except BaseException:
                self._idle.append(reader.connection)
                raise
            self._idle.append(reader.connection)

    async def connect(self) -> Any:
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            statement_cache_size=STATEMENTS,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=STATEMENT_CHARACTERS,
            server_settings=self._server_settings,
        )

    def close(self) -> None:
        """Let go of all that are idle."""
        while self._idle:
            self._idle.pop().terminate()

    def _idle_one(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None
