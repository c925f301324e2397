"""The engine every service builds once in its `main`, and what its failures mean."""

import asyncio
from typing import Any

import asyncpg
import orjson
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolExhaustedError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from common.settings import DatabaseSettings

# The server's words for "not now": starting, stopping, out of connections, chosen as a deadlock's victim.
_TRANSIENT = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the next word on a session that was ended in the middle of the last one
)

DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""All that asyncpg raises; the last is its word on a session that ended in the middle of an answer."""
FROZEN_AFTER = "60s"
"""The server ends a transaction in which nothing happens for so long: a frozen process must not keep its locks."""


def create_engine(settings: DatabaseSettings, *, service: str, frozen_after: str = FROZEN_AFTER) -> AsyncEngine:
    """A pool of connections that speak UTC and keep parameters out of every log line."""
    return create_async_engine(
        settings.sqlalchemy_url(),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=10,
        pool_pre_ping=True,
        hide_parameters=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": 5,
            "server_settings": server_settings(service, frozen_after=frozen_after),
        },
    )


def server_settings(service: str, *, frozen_after: str = FROZEN_AFTER) -> dict[str, str]:
    """What every session of ours asks of the server."""
    return {
        "application_name": f"freeport-{service}",
        "timezone": "UTC",
        "jit": "off",
        "idle_in_transaction_session_timeout": frozen_after,
    }


async def asyncpg_connection(connection: AsyncConnection) -> Any:
    """The asyncpg connection beneath `connection`, in the same transaction: for COPY and prepared statements.

    SQLAlchemy begins the transaction with the first statement it runs itself, so one is run here if there was none.
    """
    raw: Any = (await connection.get_raw_connection()).driver_connection
    if not raw.is_in_transaction():
        await connection.exec_driver_sql("SELECT 1")
    return raw


def is_transient(error: BaseException) -> bool:
    """Whether the database, not the statement, is at fault, so that a repeat may succeed."""
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None else None
        return error.connection_invalidated or isinstance(error, InterfaceError) or isinstance(cause, _TRANSIENT)
    return isinstance(error, (*_TRANSIENT, PoolExhaustedError, OSError, asyncio.TimeoutError))
