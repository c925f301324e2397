"""Runs that do their work in many transactions: each counts itself, so that a kill between two loses no count."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from common.errors import AlreadyHandledError
from common.tables import runs

COUNTED = ("fetched", "changed", "unchanged", "rejected")


async def advance(connection: AsyncConnection, run_id: UUID, **counts: int) -> None:
    """Add `counts` to the run in the transaction that does the work; a run that gets on has failed no attempt.

    Raises `AlreadyHandledError` when the run is over or listed, so that the transaction is undone.
    """
    advanced = await connection.execute(
        update(runs)
        .where(runs.c.run_id == run_id, runs.c.state.in_(["queued", "running"]), runs.c.listed_at.is_(None))
        .values(attempts=0, **{name: runs.c[name] + count for name, count in counts.items()})
    )
    if not advanced.rowcount:
        raise AlreadyHandledError(f"run {run_id} is over")


async def counted(connection: AsyncConnection, run_id: UUID) -> dict[str, int]:
    """What the run has counted so far, over all its attempts."""
    row = await connection.execute(select(*(runs.c[name] for name in COUNTED)).where(runs.c.run_id == run_id))
    return dict(row.mappings().one())
