"""What has expired is taken out of what is counted of the market, every few seconds.

Whoever reads counts takes off what has expired since, so that they are right also where nobody does this; it takes them
longer (docs/decisions/0017-what-is-listed-is-counted-as-it-is-written.md).
"""

import asyncio

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import DATABASE_ERRORS
from common.logs import get_logger

log = get_logger(__name__)

EVERY_SECONDS = 10.0
BUSY_SECONDS = 1.0
"""After it was found that contracts are being written."""


async def follow(engine: AsyncEngine, *, every_seconds: float = EVERY_SECONDS) -> None:
    """Move the horizon until cancelled; a time that fails is made up for by the next."""
    while True:
        pause = every_seconds
        try:
            if await move(engine) is None:
                pause = min(BUSY_SECONDS, every_seconds)
        except (SQLAlchemyError, *DATABASE_ERRORS, OSError) as error:
            log.warning("what has expired is not taken off", error=f"{type(error).__name__}: {error}"[:200])
        await asyncio.sleep(pause)


async def move(engine: AsyncEngine) -> int | None:
    """Take off what has expired since the last time; how many contracts, None while some are being written.

    Replicas do not get into each other's way. What readers would have to add up until then is added up, too.
    """
    async with engine.begin() as connection:
        passed: int | None = await connection.scalar(select(func.uncount_expired()))
    async with engine.begin() as connection:  # writers do not wait for this one
        await connection.execute(select(func.fold_listed_counts()))
    return passed
