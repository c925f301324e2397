"""Old lines of the ledger, and the ranges that stand for them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.slots import Definition, Folded, Governed, Old, Range, slots_of, span_of, spans

_COLUMNS = "from_slot, to_slot, slots, runs, proof, decided_at, worst_lateness_ms, total_lateness_ms"
"""In the order of `Range`."""

# One replica at a time.
OURS = "SELECT pg_try_advisory_xact_lock(hashtextextended('freeport schedule ranges', 0))"
CUTOFF = "SELECT now() - $1::interval"
WITH_OLD = """
/* ranges.with_old: schedules, also deleted ones, with old lines behind their last range */
SELECT schedule_id FROM (SELECT DISTINCT schedule_id FROM schedule_versions WHERE schedule_id > $1) v
 WHERE EXISTS (
   SELECT FROM schedule_slots t
    WHERE t.schedule_id = v.schedule_id AND t.slot_at < $2
      AND t.slot_at > coalesce(
            (SELECT max(to_slot) FROM schedule_ranges r WHERE r.schedule_id = v.schedule_id), '-infinity'))
 ORDER BY schedule_id LIMIT $3
"""
VERSIONS = """
/* ranges.versions */
SELECT from_at, definition::text AS definition FROM schedule_versions WHERE schedule_id = $1 ORDER BY version
"""
LAST = f"""
/* ranges.last */
SELECT {_COLUMNS} FROM schedule_ranges WHERE schedule_id = $1 ORDER BY from_slot DESC LIMIT 1
"""  # noqa: S608 - constants
# The newest line of all stays one, for that is what is shown of a schedule. A run that stands for two slots stays, too.
OLD = """
/* ranges.old */
SELECT t.slot_at, t.decided_at, t.lateness_ms, t.request_id IS NOT NULL AS asked, t.run_id IS NOT NULL AS has_run,
       t.fate = 'fired' AND t.request_id IS NULL AND t.decided_at < $3
         AND (t.run_id IS NULL OR coalesce(run.state = 'succeeded', false))
         AND NOT EXISTS (
           SELECT FROM schedule_slots twin
            WHERE twin.run_id = t.run_id AND (twin.schedule_id, twin.slot_at) <> (t.schedule_id, t.slot_at)) AS well
  FROM schedule_slots t LEFT JOIN runs run ON run.run_id = t.run_id
 WHERE t.schedule_id = $1 AND t.slot_at > $2 AND t.slot_at < $3
   AND t.slot_at < (SELECT max(slot_at) FROM schedule_slots WHERE schedule_id = $1)
 ORDER BY t.slot_at LIMIT $4
"""
KEEP = f"""
/* ranges.keep */
INSERT INTO schedule_ranges (schedule_id, {_COLUMNS})
SELECT $1, * FROM unnest($2::timestamptz[], $3::timestamptz[], $4::int[], $5::int[], $6::bytea[], $7::timestamptz[],
                         $8::int[], $9::bigint[])
ON CONFLICT (schedule_id, from_slot) DO UPDATE
   SET to_slot = excluded.to_slot, slots = excluded.slots, runs = excluded.runs, proof = excluded.proof,
       decided_at = excluded.decided_at, worst_lateness_ms = excluded.worst_lateness_ms,
       total_lateness_ms = excluded.total_lateness_ms
"""  # noqa: S608 - constants
REMOVE = """
/* ranges.remove */
DELETE FROM schedule_slots WHERE schedule_id = $1 AND slot_at = ANY($2::timestamptz[]) AND fate = 'fired'
"""
BETWEEN = f"""
/* ranges.between */
SELECT {_COLUMNS} FROM schedule_ranges WHERE schedule_id = $1 AND to_slot >= $2 AND from_slot <= $3
"""  # noqa: S608 - constants


async def ours(connection: AsyncConnection) -> bool:
    """Whether folding is this transaction's to do."""
    return bool(await (await asyncpg_connection(connection)).fetchval(OURS))


async def cutoff(connection: AsyncConnection, retention: timedelta) -> datetime:
    """Slots before it are old."""
    moment: datetime = await (await asyncpg_connection(connection)).fetchval(CUTOFF, retention)
    return moment


async def with_old(connection: AsyncConnection, before: datetime, *, after: str, most: int) -> list[str]:
    """The next schedules behind `after` that may have something to fold."""
    raw = await asyncpg_connection(connection)
    return [row[0] for row in await raw.fetch(WITH_OLD, after, before, most)]


async def governed(connection: AsyncConnection, schedule_id: str) -> list[Governed]:
    """What governed the schedule's slots. Raises ValueError or LookupError if that cannot be read any more."""
    raw = await asyncpg_connection(connection)
    versions = [(row[0], _definition(row[1])) for row in await raw.fetch(VERSIONS, schedule_id)]
    for _, definition in versions:
        if definition is not None and definition.kind != "upstream":
            slots_of(definition)
    return spans(versions)


async def last(connection: AsyncConnection, schedule_id: str) -> Range | None:
    row = await (await asyncpg_connection(connection)).fetchrow(LAST, schedule_id)
    return None if row is None else Range(*row)


async def old(
    connection: AsyncConnection, schedule_id: str, *, after: datetime, before: datetime, most: int
) -> list[Old]:
    """The next lines of slots later than `after` and before `before`, the oldest first."""
    raw = await asyncpg_connection(connection)
    return [Old(**row) for row in await raw.fetch(OLD, schedule_id, after, before, most)]


async def keep(connection: AsyncConnection, schedule_id: str, folded: Folded) -> None:
    """Put ranges in the place of the lines that they stand for. Raises LookupError where these are not all there."""
    raw = await asyncpg_connection(connection)
    rows = [_row(each) for each in folded.ranges]
    await raw.execute(KEEP, schedule_id, *([row[index] for row in rows] for index in range(len(rows[0]))))
    removed = await raw.execute(REMOVE, schedule_id, folded.slots)
    if removed != f"DELETE {len(folded.slots)}":
        raise LookupError("lines were removed or changed meanwhile")


async def fired_among(connection: AsyncConnection, schedule_id: str, slots: Sequence[datetime]) -> set[datetime]:
    """Those of `slots` whose lines, which said that they fired, are folded."""
    if not slots:
        return set()
    raw = await asyncpg_connection(connection)
    ranges = [Range(*row) for row in await raw.fetch(BETWEEN, schedule_id, min(slots), max(slots))]
    if not ranges:
        return set()
    spans_of = await governed(connection, schedule_id)
    return set(slots) & {slot for each in ranges for slot in _slots(each, spans_of)}


def _slots(these: Range, governed_by: Sequence[Governed]) -> Sequence[datetime]:
    """The slots of a range. Those that followed upstream nobody can ask to be made up for."""
    span = span_of(governed_by, these.last)
    if span is None or span.definition is None or span.definition.kind == "upstream":
        return ()
    return slots_of(span.definition).between(these.first, these.last, at_most=these.slots)


def _row(each: Range) -> tuple[Any, ...]:
    return (
        each.first,
        each.last,
        each.slots,
        each.runs,
        each.proof,
        each.decided_at,
        each.worst_lateness_ms,
        each.total_lateness_ms,
    )


def _definition(stored: str | None) -> Definition | None:
    return None if stored is None else msgspec.json.decode(stored, type=Definition)
