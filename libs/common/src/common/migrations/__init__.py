"""The schema's history, and the one way to bring a database up to date."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_ADVISORY_LOCK = 5_203_117_001
"""Any number; the same for everybody who migrates, so that they queue."""


def config() -> Config:
    alembic = Config()
    alembic.set_main_option("script_location", str(Path(__file__).parent))
    return alembic


async def upgrade(engine: AsyncEngine, *, then: Callable[[AsyncConnection], Awaitable[None]] | None = None) -> None:
    """Bring the schema to its newest revision; callers at the same time queue, and the second finds nothing to do.

    What has to be done `then` is part of the same transaction. Gives up with `LockNotAvailable` rather than queue in
    front of everybody else's reads.
    """

    def run(connection: Connection) -> None:
        alembic = config()
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, "head")

    async with engine.begin() as connection:
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        await connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        await connection.run_sync(run)
        if then is not None:
            await then(connection)
