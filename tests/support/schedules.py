"""Schedules in a test's database, what is asked of them, and what became of their slots."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, ScheduleDue, Scope
from common.ids import new_id
from common.messaging.wakeup import CLOCKWORK
from common.slots import Definition, slots_of
from common.tables import (
    outbox,
    runs,
    schedule_answers,
    schedule_requests,
    schedule_slots,
    schedule_versions,
    schedules,
)
from scheduler.controls import Controls
from scheduler.stores import schedules as store

SWEEP: dict[str, Any] = {"name": "a test's", "dataset": Dataset.CONTRACTS, "scope": Scope(region_id=1)}


def interval(seconds: int = 3600, **more: Any) -> Definition:
    """A sweep every so often, aligned to the epoch."""
    return Definition(**{**SWEEP, "kind": "interval", "every_seconds": seconds, **more})


class Schedules:
    """One database's schedules, as the scheduler keeps them and as operators ask of them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def now(self) -> datetime:
        async with self._engine.connect() as connection:
            return await store.now(connection)

    async def add(self, definition: Definition, schedule_id: str = "s", *, overdue: timedelta = timedelta()) -> None:
        """A schedule that began `overdue` ago, with nothing decided since."""
        async with self._engine.begin() as connection:
            moment = await store.now(connection) - overdue
            first = moment
            if definition.kind != "upstream":
                slot = slots_of(definition).at_or_after(moment)
                assert slot is not None
                first = slot
            await store.add(connection, schedule_id, definition, first=first)

    async def ask(
        self,
        control: str,
        schedule_id: str = "s",
        body: Mapping[str, Any] | None = None,
        *,
        if_version: int | None = None,
        scopes: Sequence[str] = (),
    ) -> UUID:
        """Leave a request as the api does, for somebody whose key has `scopes`."""
        request_id = new_id()
        row = {
            "request_id": request_id,
            "schedule_id": schedule_id,
            "control": control,
            "body": dict(body or {}),
            "if_version": if_version,
            "scopes": list(scopes),
        }
        async with self._engine.begin() as connection:
            await connection.execute(insert(schedule_requests).values(row))
            await connection.execute(select(func.pg_notify(CLOCKWORK, "")))
        return request_id

    async def answer(self, request_id: UUID) -> Any:
        """What became of a request; None while nobody has answered."""
        query = select(schedule_answers).where(schedule_answers.c.request_id == request_id)
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).one_or_none()

    async def row(self, schedule_id: str = "s") -> Any:
        query = select(schedules).where(schedules.c.schedule_id == schedule_id)
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).one_or_none()

    async def change(self, schedule_id: str = "s", **values: Any) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(update(schedules).where(schedules.c.schedule_id == schedule_id).values(**values))

    async def lines(self, schedule_id: str = "s") -> list[Any]:
        """The ledger, oldest slot first."""
        query = select(schedule_slots).where(schedule_slots.c.schedule_id == schedule_id)
        async with self._engine.connect() as connection:
            return list(await connection.execute(query.order_by(schedule_slots.c.slot_at)))

    async def fates(self, schedule_id: str = "s") -> list[str]:
        return [line.fate for line in await self.lines(schedule_id)]

    async def versions(self, schedule_id: str = "s") -> list[Any]:
        query = select(schedule_versions).where(schedule_versions.c.schedule_id == schedule_id)
        async with self._engine.connect() as connection:
            return list(await connection.execute(query.order_by(schedule_versions.c.version)))

    async def sent(self) -> list[ScheduleDue]:
        async with self._engine.connect() as connection:
            payloads = await connection.scalars(select(outbox.c.payload).order_by(outbox.c.id))
            return [msgspec.json.decode(payload, type=ScheduleDue) for payload in payloads]

    async def messages(self) -> list[Any]:
        """What is in the outbox, in its order."""
        async with self._engine.connect() as connection:
            return list(await connection.execute(select(outbox).order_by(outbox.c.id)))

    async def run(self, run_id: UUID, state: str) -> None:
        """The ingestor's row of a run; a second one replaces the first."""
        finished = func.now() if state not in {"queued", "running"} else None
        async with self._engine.begin() as connection:
            await connection.execute(runs.delete().where(runs.c.run_id == run_id))
            await connection.execute(
                insert(runs).values(
                    run_id=run_id,
                    dataset="contracts",
                    scope={"region_id": 1},
                    source="schedule",
                    state=state,
                    finished_at=finished,
                )
            )


async def asked(kept: Schedules, controls: Controls, control: str, body: Any = None, **more: Any) -> Any:
    """Ask, have it done, and return the answer."""
    request_id = await kept.ask(control, body=body, **more)
    assert await controls.apply() == 1
    return await kept.answer(request_id)


def body_of(definition: Definition, **more: Any) -> dict[str, Any]:
    """The definition as a request carries it."""
    return {"definition": msgspec.to_builtins(definition), **more}
