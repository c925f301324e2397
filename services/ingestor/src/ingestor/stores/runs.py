"""What became of each run. Every change of state is conditional, so a run that is over stays as it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from common.errors import AlreadyHandledError
from common.events import (
    Dataset,
    IngestRequested,
    RunAccepted,
    RunCounts,
    RunFinished,
    RunOutcome,
    RunProgressed,
    RunStarted,
    Scope,
)
from common.messaging.outbox import Outbox
from common.tables import COUNTS, ingest_requests, runs, sweeps
from ingestor.esi.client import Traffic
from ingestor.stores import timers

IN_HAND = timedelta(seconds=90)
"""How long a run that somebody works on is left alone; above the deadline of that work."""

_unlisted = runs.c.state.in_(["queued", "running"]) & runs.c.listed_at.is_(None)
_FINISHED = (*(runs.c[count] for count in COUNTS), runs.c.run_id, runs.c.dataset, runs.c.scope, runs.c.reason)


@dataclass(frozen=True, slots=True)
class Run:
    """The run a command is carried out under."""

    run_id: UUID
    command: IngestRequested

    @property
    def dataset(self) -> Dataset:
        return self.command.dataset

    @property
    def scope(self) -> Scope:
        return self.command.scope


class RunStore:
    """Writes `runs`, and tells of every change through the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def queue(self, connection: AsyncConnection, run: Run, *, source: str) -> None:
        """Record a run that is to be carried out; one that is known already is left as it is."""
        queued = await connection.execute(
            insert(runs)
            .values(**_identity(run), source=source, state="queued", due_at=func.now() + IN_HAND)
            .on_conflict_do_nothing()
        )
        if queued.rowcount:
            await self._outbox.write(connection, [RunAccepted(**_names(run))])

    async def start(self, connection: AsyncConnection, run: Run) -> int | None:
        """Take the run up and return which attempt this is, or None when there is nothing left to do for it."""
        request = select(ingest_requests.c.accepted_at).where(ingest_requests.c.run_id == run.run_id)
        accepted_at = await connection.scalar(request)
        started = {"state": "running", "due_at": func.now() + IN_HAND}
        attempt = await connection.scalar(
            insert(runs)
            .values(
                **_identity(run),
                **started,
                source="kafka" if accepted_at is None else "api",
                attempts=1,
                accepted_at=accepted_at or func.now(),
                started_at=func.now(),
            )
            .on_conflict_do_update(
                index_elements=["run_id"],
                set_={
                    **started,
                    "attempts": runs.c.attempts + 1,
                    "started_at": func.coalesce(runs.c.started_at, func.now()),
                },
                where=_unlisted,
            )
            .returning(runs.c.attempts)
        )
        if attempt is not None:
            await self._outbox.write(connection, [RunStarted(**_names(run), attempt=attempt)])
        return None if attempt is None else int(attempt)

    async def defer(self, connection: AsyncConnection, run_id: UUID, *, reason: str, after: timedelta) -> None:
        """Put the run back in the queue, and have it sent again when the time has come.

        A run that somebody else has listed meanwhile stays as it is.
        """
        dataset = await connection.scalar(
            update(runs)
            .where(runs.c.run_id == run_id, _unlisted)
            .values(state="queued", reason=reason, due_at=func.clock_timestamp() + after)
            .returning(runs.c.dataset)
        )
        if dataset is not None:
            await timers.put_off(connection, Dataset(dataset), [after])

    async def listed(self, connection: AsyncConnection, run: Run, counts: Mapping[str, int], flaw: str | None) -> None:
        """The dataset's own rows are stored; the run ends when the items it wants are read too.

        Raises `AlreadyHandledError` when the run is over, or was listed before.
        """
        row = await connection.execute(
            update(runs)
            .where(runs.c.run_id == run.run_id, _unlisted)
            .values(**counts, state="running", reason=flaw, listed_at=func.now(), due_at=None)
            .returning(*_FINISHED)
        )
        found = row.one_or_none()
        if found is None:
            raise AlreadyHandledError(f"run {run.run_id} is over")
        if not found.items_wanted:
            await self._finish(connection, found)
        else:
            fresh_until = await _fresh_until(connection, run.run_id)
            await self._outbox.write(
                connection, [RunProgressed(**_names(run), counts=_counts(found), fresh_until=fresh_until)]
            )

    async def count_traffic(self, connection: AsyncConnection, run_id: UUID, traffic: Traffic) -> None:
        """Add what an attempt asked of upstream, whatever came of it."""
        await connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id, _unlisted)
            .values(
                upstream_requests=runs.c.upstream_requests + traffic.requests,
                upstream_bytes=runs.c.upstream_bytes + traffic.bytes,
            )
        )

    async def end(self, connection: AsyncConnection, run_id: UUID, state: RunOutcome, *, reason: str) -> None:
        """End the run before its rows were stored: failed, cancelled, or skipped with the reason."""
        row = await connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id, _unlisted)
            .values(state=state, reason=reason, finished_at=func.now(), due_at=None)
            .returning(*_FINISHED)
        )
        found = row.one_or_none()
        if found is not None:
            await self._tell_finished(connection, found, state)

    async def items_progressed(
        self, connection: AsyncConnection, run_id: UUID, *, done: int, failed: int, requests: int, received: int
    ) -> None:
        """Count items that are settled; the last of them ends the run."""
        row = await connection.execute(
            update(runs)
            .where(runs.c.run_id == run_id, runs.c.state == "running")
            .values(
                items_done=runs.c.items_done + done,
                items_failed=runs.c.items_failed + failed,
                upstream_requests=runs.c.upstream_requests + requests,
                upstream_bytes=runs.c.upstream_bytes + received,
            )
            .returning(*_FINISHED)
        )
        found = row.one_or_none()
        if found is not None and found.items_done + found.items_failed >= found.items_wanted:
            await self._finish(connection, found)

    async def _finish(self, connection: AsyncConnection, found: Row[Any]) -> None:
        state: RunOutcome = "partial" if found.reason or found.items_failed or found.rejected else "succeeded"
        await connection.execute(
            update(runs).where(runs.c.run_id == found.run_id).values(state=state, finished_at=func.now(), due_at=None)
        )
        await self._tell_finished(connection, found, state)

    async def _tell_finished(self, connection: AsyncConnection, found: Row[Any], state: RunOutcome) -> None:
        event = RunFinished(
            run_id=found.run_id,
            dataset=Dataset(found.dataset),
            scope=Scope(**found.scope),
            state=state,
            counts=_counts(found),
            reason=found.reason,
            fresh_until=await _fresh_until(connection, found.run_id),
        )
        await self._outbox.write(connection, [event])


async def _fresh_until(connection: AsyncConnection, run_id: UUID) -> datetime | None:
    """Until when upstream has nothing newer than what the run swept; None for a run that swept nothing."""
    return await connection.scalar(select(sweeps.c.fresh_until).where(sweeps.c.run_id == run_id))


def _counts(found: Row[Any]) -> RunCounts:
    return RunCounts(**{count: getattr(found, count) for count in COUNTS})


def _names(run: Run) -> dict[str, Any]:
    return {"run_id": run.run_id, "dataset": run.dataset, "scope": run.scope}


def _identity(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "dataset": run.dataset.value,
        "scope": msgspec.to_builtins(run.scope),
        "force": run.command.force,
    }
