"""A broker that lost its memory: consumers that knew the old one wait at positions that its new log does not have."""

import asyncio

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import is_transient
from common.errors import FreeportError
from common.tables import broker_epochs

LOOK_SECONDS = 5.0

NEWEST = select(func.max(broker_epochs.c.started_at))


class BrokerEpochError(FreeportError):
    """The topics were created anew: only a new process reads them from their beginning."""


async def one_epoch(engine: AsyncEngine, *, look_seconds: float = LOOK_SECONDS) -> None:
    """Return never; raises when topics had to be created since the first look."""
    looks = 0
    epoch = None
    while True:
        try:
            async with engine.connect() as connection:
                newest = await connection.scalar(NEWEST)
        except Exception as error:
            if not is_transient(error):
                raise
        else:
            if looks and newest != epoch:
                raise BrokerEpochError("the broker lost its topics; consuming starts again from their beginning")
            looks += 1
            epoch = newest
        await asyncio.sleep(look_seconds)
