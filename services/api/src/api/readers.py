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
    """A connection outside any transaction, lent to one request from its first question on.

    So whatever is wrong with a request is said without a connection: also while all are lent, or none is to be had.
    """

    def __init__(self, readers: "Readers") -> None:
        self._readers = readers
        self._connection: Any = None
        self._fresh = False

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
            await self._connection.execute("ROLLBACK")
            raise
        await self._connection.execute("COMMIT")

    def give_back(self, *, fit: bool) -> None:
        """Let others have the connection, or end it if it is not `fit` for them; nothing to do if nothing was asked."""
        if self._connection is not None:
            self._readers.take_back(self._connection, fit=fit)

    async def _ask(self, way: str, statement: str, arguments: tuple[Any, ...]) -> Any:
        if self._connection is None:
            self._connection, self._fresh = await self._readers.lend()
        try:
            return await getattr(self._connection, way)(statement, *arguments)
        except DEAD:
            if self._fresh:
                raise
        self._connection.terminate()
        self._connection, self._fresh = await self._readers.connect(), True
        return await getattr(self._connection, way)(statement, *arguments)


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
        """Who asks over it holds a connection from the first question until the block ends."""
        reader = Reader(self)
        try:
            yield reader
        except UNFIT:
            reader.give_back(fit=False)
            raise
        except BaseException:
            reader.give_back(fit=True)
            raise
        reader.give_back(fit=True)

    async def lend(self) -> tuple[Any, bool]:
        """A connection, and whether it is new; `take_back` has to follow.

        The one that was used last is lent first: it has statements prepared.
        """
        await self._turns.acquire()
        try:
            idle = self._idle_one()
            return idle or await self.connect(), idle is None
        except BaseException:
            self._turns.release()
            raise

    def take_back(self, connection: Any, *, fit: bool) -> None:
        if fit:
            self._idle.append(connection)
        else:
            connection.terminate()
        self._turns.release()

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
