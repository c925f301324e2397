"""Reading and writing the definitions of schedules, and which of them governed when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.ext.asyncio import AsyncConnection

from common.events import Dataset, Scope
from common.messaging.wakeup import CLOCKWORK
from common.slots import Definition, Emission
from common.tables import schedule_versions, schedules

T = TypeVar("T")

_COPIED = tuple(name for name in Definition.__struct_fields__ if name not in {"dataset", "scope", "emits"})


@dataclass(frozen=True, slots=True)
class Next:
    """The slot that comes next, and when it is due; nothing where none comes."""

    slot_at: datetime | None
    due_at: datetime | None

    def columns(self) -> dict[str, datetime | None]:
        return {"next_due_at": self.due_at, "next_slot_at": self.slot_at if self.slot_at != self.due_at else None}


async def now(connection: AsyncConnection) -> datetime:
    """The database's clock: the only one that schedules go by."""
    moment: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def add(connection: AsyncConnection, schedule_id: str, definition: Definition, *, first: datetime) -> bool:
    """Store a schedule with its first slot; one that exists, or that an operator deleted, is left as it is."""
    if await _newest_version(connection, schedule_id):
        return False
    added = await connection.execute(
        insert_or(schedules)
        .values(schedule_id=schedule_id, **columns(definition), **Next(first, first).columns())
        .on_conflict_do_nothing()
    )
    if added.rowcount:
        await _record_version(connection, schedule_id, 1, definition, from_at=first)
        await tell(connection)
    return bool(added.rowcount)


async def create(
    connection: AsyncConnection, schedule_id: str, definition: Definition, upcoming: Next, **more: Any
) -> bool:
    """Store a schedule that begins now; False if there is one of that id."""
    version = await _newest_version(connection, schedule_id) + 1
    moment = await now(connection)
    added = await connection.execute(
        insert_or(schedules)
        .values(schedule_id=schedule_id, version=version, **columns(definition), **upcoming.columns(), **more)
        .on_conflict_do_nothing()
    )
    if added.rowcount:
        from_at = min(moment, upcoming.slot_at or moment)
        await _record_version(connection, schedule_id, version, definition, from_at=from_at)
    return bool(added.rowcount)


async def replace(
    connection: AsyncConnection,
    schedule_id: str,
    definition: Definition,
    upcoming: Next,
    *,
    from_at: datetime,
    **more: Any,
) -> None:
    """Let `definition` govern the slots from `from_at` on; the schedule is locked by the caller."""
    changed = await change(connection, schedule_id, **columns(definition), **upcoming.columns(), **more)
    await _record_version(connection, schedule_id, changed, definition, from_at=from_at)


async def change(connection: AsyncConnection, schedule_id: str, **values: Any) -> int:
    """Change what an operator may, and return the version that this makes."""
    version: int = (
        await connection.execute(
            update(schedules)
            .where(schedules.c.schedule_id == schedule_id)
            .values(version=schedules.c.version + 1, updated_at=func.clock_timestamp(), **values)
            .returning(schedules.c.version)
        )
    ).scalar_one()
    return version


async def remove(connection: AsyncConnection, schedule_id: str, *, from_at: datetime) -> None:
    """Delete a schedule; its ledger stays, and so does what governed it until `from_at`."""
    await connection.execute(delete(schedules).where(schedules.c.schedule_id == schedule_id))
    version = await _newest_version(connection, schedule_id) + 1
    await _record_version(connection, schedule_id, version, None, from_at=from_at)


async def set_aside(connection: AsyncConnection, schedule_id: str, *, fault: str) -> None:
    """Pause a schedule that cannot be read, and look at it no more until somebody has changed it."""
    values = {"paused": True, "note": f"paused: {fault}", **Next(None, None).columns()}
    await change(connection, schedule_id, **values)


async def tell(connection: AsyncConnection, what: str = "") -> None:
    """Wake every clockwork when this transaction commits."""
    await connection.execute(select(func.pg_notify(CLOCKWORK, what)))


def columns(definition: Definition) -> dict[str, Any]:
    """The definition as columns of `schedules`."""
    return {
        **{name: getattr(definition, name) for name in _COPIED},
        "dataset": definition.dataset and definition.dataset.value,
        "scope": msgspec.to_builtins(definition.scope),
        "emits": None if definition.emits is None else msgspec.to_builtins(definition.emits),
    }


def definition_of(row: Any) -> Definition:
    """The definition in a row of `schedules`. Raises ValueError if it cannot be read."""
    return Definition(
        **{name: row[name] for name in _COPIED},
        dataset=row["dataset"] and Dataset(row["dataset"]),
        scope=_read(row["scope"], Scope),
        emits=row["emits"] and _read(row["emits"], Emission),
    )


def _read(value: Any, kind: type[T]) -> T:
    """A column of JSON, which asyncpg hands over as text."""
    return msgspec.json.decode(value, type=kind) if isinstance(value, str) else msgspec.convert(value, kind)


async def _newest_version(connection: AsyncConnection, schedule_id: str) -> int:
    newest = select(func.coalesce(func.max(schedule_versions.c.version), 0)).where(
        schedule_versions.c.schedule_id == schedule_id
    )
    version: int = (await connection.execute(newest)).scalar_one()
    return version


async def _record_version(
    connection: AsyncConnection, schedule_id: str, version: int, definition: Definition | None, *, from_at: datetime
) -> None:
    await connection.execute(
        insert(schedule_versions).values(
            schedule_id=schedule_id,
            version=version,
            from_at=from_at,
            definition=None if definition is None else msgspec.to_builtins(definition),
        )
    )
