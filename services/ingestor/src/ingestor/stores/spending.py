"""What a dataset's runs have cost lately: its own share of ESI's errors is bounded by the rows of all replicas."""

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from common.events import Dataset
from common.tables import runs

WINDOW = timedelta(minutes=1)
"""ESI's window of errors is as long."""
_OLDEST = timedelta(hours=1)


async def lately(connection: AsyncConnection, dataset: Dataset, count: str) -> int:
    """The sum of `count` over the runs of `dataset` that ended within the last minute."""
    spent = await connection.scalar(
        select(func.coalesce(func.sum(runs.c[count]), 0)).where(
            runs.c.dataset == dataset.value,
            runs.c.accepted_at > func.now() - _OLDEST,
            runs.c.finished_at > func.now() - WINDOW,
        )
    )
    return int(spent or 0)
