"""Schedules and their ledger, as JSON text that PostgreSQL wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from api.cursors import Position
from api.queries.arguments import Arguments
from api.schemas.schedules import ScheduleQuery, SlotQuery
from common.events import IngestRequested, ScheduleDue
from common.tables import COUNTS

SLOT = f"""
    SELECT t.schedule_id, t.slot_at, greatest(t.slot_at, t.decided_at - t.lateness_ms * interval '1 ms') AS due_at,
           t.fate, t.decided_at, t.lateness_ms, t.request_id, t.event_id,
           CASE WHEN t.run_id IS NOT NULL THEN json_build_object(
               'run_id', t.run_id, 'state', coalesce(r.state, 'queued'), 'reason', r.reason,
               'started_at', r.started_at, 'finished_at', r.finished_at,
               'counts', CASE WHEN r.run_id IS NOT NULL THEN
                   json_build_object({", ".join(f"'{count}', r.{count}" for count in COUNTS)}) END) END AS run
      FROM schedule_slots t LEFT JOIN runs r ON r.run_id = t.run_id
"""  # noqa: S608 - constants

EMITS = f"""
CASE action
WHEN 'ingest' THEN jsonb_build_object('type', '{IngestRequested.type}',
                                      'data', jsonb_build_object('dataset', dataset, 'scope', scope))
WHEN 'reconcile' THEN jsonb_build_object('type', '{ScheduleDue.type}', 'data', jsonb_build_object('action', action))
ELSE emits END"""
"""The short words for what is emitted, written out."""

SHOWN = f"""
    SELECT schedule_id, name, kind, every_seconds, offset_seconds, min_seconds, max_seconds, cron, zone, at, start_at,
           end_at, action, dataset, scope, {EMITS} AS emits, overlap, catchup, catchup_seconds, jitter_seconds,
           pause_after_failures, paused, note, version, created_at, updated_at,
           coalesce(next_slot_at, next_due_at) AS next_slot_at, next_due_at, skip_next,
           buffered_slot_at AS waiting_slot_at, fresh_until,
           (SELECT row_to_json(slot) FROM ({SLOT} WHERE t.schedule_id = s.schedule_id
                                            ORDER BY t.slot_at DESC LIMIT 1) slot) AS last_slot
      FROM schedules s
"""  # noqa: S608 - constants

ONE = f"SELECT row_to_json(shown)::text AS body, version FROM ({SHOWN} WHERE schedule_id = $1) shown"  # noqa: S608

PAGE = """
SELECT coalesce(json_agg(shown ORDER BY schedule_id)::text, '[]') AS items, max(schedule_id) AS last, count(*) AS n
  FROM ({shown} WHERE {conditions} ORDER BY schedule_id LIMIT {limit}) shown
"""

# A range stands where its last slot does.
SLOTS = """
WITH lines AS MATERIALIZED ({slot} WHERE {of_lines} ORDER BY t.slot_at DESC LIMIT {limit} + 1),
     ranges AS MATERIALIZED (
       SELECT schedule_id, from_slot, to_slot, slots, runs, worst_lateness_ms,
              round(total_lateness_ms / slots::numeric, 1)::float8 AS mean_lateness_ms
         FROM schedule_ranges g WHERE {of_ranges} ORDER BY to_slot DESC LIMIT {limit} + 1),
     places AS MATERIALIZED (SELECT slot_at AS at FROM lines UNION ALL SELECT to_slot FROM ranges),
     page AS MATERIALIZED (SELECT min(at) AS last FROM (SELECT at FROM places ORDER BY at DESC LIMIT {limit}) each)
SELECT (SELECT coalesce(json_agg(lines ORDER BY slot_at DESC)::text, '[]') FROM lines WHERE slot_at >= last) AS items,
       (SELECT coalesce(json_agg(ranges ORDER BY to_slot DESC)::text, '[]') FROM ranges WHERE to_slot >= last)
         AS ranges,
       (SELECT count(*) > {limit} FROM places) AS more, last
  FROM page
"""

REQUEST = """
SELECT row_to_json(shown)::text FROM (
    SELECT request_id, r.schedule_id, r.control, r.requested_at,
           CASE WHEN a.request_id IS NOT NULL THEN 'answered'
                WHEN r.requested_at < now() - interval '1 day' THEN 'void' ELSE 'waiting' END AS state,
           a.answered_at, a.status, a.detail, a.errors, a.result
      FROM schedule_requests r LEFT JOIN schedule_answers a USING (request_id) WHERE request_id = $1) shown
"""

AUDITED = """
SELECT v.schedule_id, s.schedule_id IS NULL AS deleted, v.versions,
       coalesce(s.next_slot_at, s.next_due_at) AS next_slot_at, s.buffered_slot_at, s.last_decided_at,
       s.paused
  FROM (SELECT schedule_id, json_agg(json_build_array(from_at, definition) ORDER BY version)::text AS versions
          FROM schedule_versions
         WHERE ($1::text IS NULL OR schedule_id > $1) AND ($2::text[] = '{}' OR schedule_id = ANY($2))
         GROUP BY schedule_id ORDER BY schedule_id LIMIT $3) v
  LEFT JOIN schedules s USING (schedule_id) ORDER BY v.schedule_id
"""
LINES = """
SELECT schedule_id, slot_at, decided_at, request_id IS NOT NULL AS asked, run_id FROM schedule_slots
 WHERE schedule_id = ANY($1) AND slot_at >= $2 ORDER BY schedule_id, slot_at
"""


RANGES = """
SELECT schedule_id, from_slot, to_slot, slots, runs, proof, decided_at, worst_lateness_ms, total_lateness_ms
  FROM schedule_ranges WHERE schedule_id = ANY($1) AND to_slot >= $2 ORDER BY schedule_id, from_slot
"""


@dataclass(frozen=True, slots=True)
class SlotsPage:
    """A page of the ledger: lines and ranges as JSON text, and where it ended if more follow."""

    items: str
    ranges: str
    last: Position | None


async def schedule(connection: Any, schedule_id: str) -> tuple[str, int] | None:
    """The schedule as JSON text, and its version; None if there is none."""
    row = await connection.fetchrow(ONE, schedule_id)
    return None if row is None else (row["body"], row["version"])


async def schedules(connection: Any, query: ScheduleQuery) -> tuple[str, str | None]:
    """A page of schedules as JSON text, and the id it ended with if it is full."""
    arguments = Arguments()
    conditions = ["true"]
    if query.kind:
        conditions.append(f"kind = ANY({arguments.place(list(query.kind))}::text[])")
    if query.dataset:
        conditions.append(f"dataset = ANY({arguments.place([each.value for each in query.dataset])}::text[])")
    if query.paused is not None:
        conditions.append(f"paused = {arguments.place(query.paused)}")
    if query.cursor is not None:
        conditions.append(f"schedule_id > {arguments.place(query.cursor)}")
    statement = PAGE.format(shown=SHOWN, conditions=" AND ".join(conditions), limit=query.limit)
    row = await connection.fetchrow(statement, *arguments)
    return row["items"], row["last"] if row["n"] == query.limit else None


async def slots(connection: Any, schedule_id: str, query: SlotQuery, after: Position | None) -> SlotsPage:
    """The lines and ranges that `query` asks for, the newest slot first, from behind `after` on."""
    arguments = Arguments()
    of_lines = [f"t.schedule_id = {arguments.place(schedule_id)}"]
    of_ranges = [f"g.schedule_id = {arguments.place(schedule_id)}"]
    if query.fate:
        fates = arguments.place(list(query.fate))
        of_lines.append(f"t.fate = ANY({fates}::text[])")
        of_ranges.append(f"'fired' = ANY({fates}::text[])")
    if query.since is not None:
        of_lines.append(f"t.slot_at >= {arguments.place(query.since)}")
        of_ranges.append(f"g.to_slot >= {arguments.place(query.since)}")
    if query.until is not None:
        of_lines.append(f"t.slot_at <= {arguments.place(query.until)}")
        of_ranges.append(f"g.from_slot <= {arguments.place(query.until)}")
    if query.run_state:
        states = arguments.place([each.value for each in query.run_state])
        of_lines.append(f"t.run_id IS NOT NULL AND coalesce(r.state, 'queued') = ANY({states}::text[])")
        of_ranges.append(f"g.runs > 0 AND 'succeeded' = ANY({states}::text[])")
    if after is not None:
        of_lines.append(f"t.slot_at < {arguments.place(after.at)}")
        of_ranges.append(f"g.to_slot < {arguments.place(after.at)}")
    statement = SLOTS.format(
        slot=SLOT, of_lines=" AND ".join(of_lines), of_ranges=" AND ".join(of_ranges), limit=query.limit
    )
    row = await connection.fetchrow(statement, *arguments)
    return SlotsPage(row["items"], row["ranges"], Position(row["last"], 0) if row["more"] else None)


async def knows(connection: Any, schedule_id: str) -> bool:
    """Whether there is such a schedule, or was: its ledger outlives it."""
    known = "SELECT EXISTS (SELECT FROM schedule_versions WHERE schedule_id = $1)"
    return bool(await connection.fetchval(known, schedule_id))


async def request(connection: Any, request_id: UUID) -> str | None:
    """A request as JSON text; None if there is none on record."""
    shown: str | None = await connection.fetchval(REQUEST, request_id)
    return shown


async def audited(connection: Any, ids: Sequence[str], after: str | None, limit: int) -> list[Any]:
    """Schedules, also deleted ones, by their ids, with all that governed them."""
    return list(await connection.fetch(AUDITED, after, list(ids), limit))


async def ranges(connection: Any, ids: Sequence[str], since: datetime) -> list[Any]:
    """What stands for folded lines of these schedules, by id and slot; those that end before `since` left out."""
    return list(await connection.fetch(RANGES, list(ids), since))


def lines(connection: Any, ids: Sequence[str], since: datetime) -> Any:
    """A cursor over the ledger of these schedules, by id and slot; wants a transaction."""
    return connection.cursor(LINES, list(ids), since, prefetch=5_000)
