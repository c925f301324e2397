"""Reading and writing `schedules` and `schedule_slots`, on the database's clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.events import Dataset, Scope
from common.slots import Interval, Overlap, Upstream
from common.tables import schedule_slots, schedules
from scheduler.domain.fates import Fate

CHANNEL = "freeport_schedules"
"""NOTIFY on it when a schedule was added or changed."""

DUE = text("""
/* schedules.due: what another replica holds is its to fire. A run that is past its list no longer overlaps. */
SELECT s.*, clock_timestamp() AS now,
       last.run_id IS NOT NULL AND coalesce(run.state IN ('queued', 'running') AND run.listed_at IS NULL, true) AS busy,
       last.decided_at AS fired_at
  FROM schedules s
  LEFT JOIN LATERAL (
    SELECT slot.run_id, slot.decided_at FROM schedule_slots slot
     WHERE slot.schedule_id = s.schedule_id AND slot.fate = 'fired' ORDER BY slot.slot_at DESC LIMIT 1) last ON true
  LEFT JOIN runs run ON run.run_id = last.run_id
 WHERE NOT s.paused AND s.next_due_at <= clock_timestamp()
 ORDER BY s.next_due_at LIMIT 100 FOR UPDATE OF s SKIP LOCKED
""")


@dataclass(frozen=True, slots=True)
class Definition:
    """What is to happen, and when."""

    schedule_id: str
    name: str
    timing: Interval | Upstream
    action: str
    overlap: Overlap
    dataset: Dataset | None = None
    scope: Scope = field(default_factory=Scope)


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A schedule in our hands, with at least one slot that has come."""

    definition: Definition
    next_due_at: datetime
    now: datetime
    busy: bool
    fired_at: datetime | None
    fresh_until: datetime | None


@dataclass(frozen=True, slots=True)
class DecidedSlot:
    """A line of the ledger."""

    schedule_id: str
    slot_at: datetime
    fate: Fate
    decided_at: datetime
    run_id: UUID | None


async def now(connection: AsyncConnection) -> datetime:
    """The database's clock: the only one that schedules go by."""
    moment: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def add(connection: AsyncConnection, definition: Definition, *, first: datetime) -> bool:
    """Store a schedule with its first slot; one that exists is left as an operator may have changed it."""
    added = await connection.execute(
        insert(schedules)
        .values(
            schedule_id=definition.schedule_id,
            name=definition.name,
            **_columns(definition.timing),
            action=definition.action,
            dataset=definition.dataset and definition.dataset.value,
            scope=msgspec.to_builtins(definition.scope),
            overlap=definition.overlap,
            next_due_at=first,
        )
        .on_conflict_do_nothing()
    )
    await connection.execute(select(func.pg_notify(CHANNEL, definition.schedule_id)))
    return bool(added.rowcount)


async def claim_due(connection: AsyncConnection) -> tuple[list[DueSchedule], dict[str, str]]:
    """Schedules that have come due, locked until the transaction ends, and what is wrong with those that are no use."""
    due: list[DueSchedule] = []
    unreadable: dict[str, str] = {}
    for row in (await connection.execute(DUE)).mappings():
        try:
            due.append(
                DueSchedule(
                    definition=_definition(row),
                    next_due_at=row["next_due_at"],
                    now=row["now"],
                    busy=row["busy"],
                    fired_at=row["fired_at"],
                    fresh_until=row["fresh_until"],
                )
            )
        except ValueError as error:
            unreadable[row["schedule_id"]] = str(error)
    return due, unreadable


async def record(connection: AsyncConnection, slots: Sequence[DecidedSlot]) -> set[datetime]:
    """Write the ledger and return the slots that had no line in it yet: those that may take effect."""
    if not slots:
        return set()
    recorded = await connection.scalars(
        insert(schedule_slots)
        .values(
            [
                {
                    "schedule_id": slot.schedule_id,
                    "slot_at": slot.slot_at,
                    "fate": slot.fate,
                    "decided_at": slot.decided_at,
                    "lateness_ms": _bounded(slot.decided_at - slot.slot_at),
                    "run_id": slot.run_id,
                }
                for slot in slots
            ]
        )
        .on_conflict_do_nothing()
        .returning(schedule_slots.c.slot_at)
    )
    return set(recorded)


async def move_on(connection: AsyncConnection, schedule_id: str, next_due_at: datetime) -> None:
    await connection.execute(
        update(schedules).where(schedules.c.schedule_id == schedule_id).values(next_due_at=next_due_at)
    )


async def pause(connection: AsyncConnection, schedule_id: str, *, note: str) -> None:
    await connection.execute(
        update(schedules).where(schedules.c.schedule_id == schedule_id).values(paused=True, note=note)
    )


async def seconds_to_next(connection: AsyncConnection) -> float | None:
    """Until the next slot of any schedule comes due; None when there is none."""
    seconds = await connection.scalar(
        select(func.extract("epoch", func.min(schedules.c.next_due_at) - func.clock_timestamp())).where(
            ~schedules.c.paused
        )
    )
    return None if seconds is None else float(seconds)


def _bounded(lateness: timedelta) -> int:
    """In milliseconds, and at the most what the column holds: 24 days."""
    return min(int(lateness / timedelta(milliseconds=1)), 2**31 - 1)


def upstream_of(row: Any) -> Upstream:
    """How a schedule of the kind `upstream` finds its next slot."""
    return Upstream(
        fallback=timedelta(seconds=row["every_seconds"]),
        floor=timedelta(seconds=row["min_seconds"]),
        cap=timedelta(seconds=row["max_seconds"]),
    )


def _interval_of(row: Any) -> Interval:
    return Interval(timedelta(seconds=row["every_seconds"]), timedelta(seconds=row["offset_seconds"]))


def _columns(timing: Interval | Upstream) -> dict[str, Any]:
    if isinstance(timing, Interval):
        return {
            "kind": "interval",
            "every_seconds": int(timing.every.total_seconds()),
            "offset_seconds": int(timing.offset.total_seconds()),
        }
    return {
        "kind": "upstream",
        "every_seconds": int(timing.fallback.total_seconds()),
        "offset_seconds": 0,
        "min_seconds": int(timing.floor.total_seconds()),
        "max_seconds": int(timing.cap.total_seconds()),
    }


def _definition(row: Any) -> Definition:
    return Definition(
        schedule_id=row["schedule_id"],
        name=row["name"],
        timing=upstream_of(row) if row["kind"] == "upstream" else _interval_of(row),
        action=row["action"],
        overlap=row["overlap"],
        dataset=row["dataset"] and Dataset(row["dataset"]),
        scope=msgspec.convert(row["scope"], Scope),
    )
