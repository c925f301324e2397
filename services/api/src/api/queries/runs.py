"""Runs: what the api accepted, and what others asked for, as JSON text that PostgreSQL wrote."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from api.cursors import Position
from api.queries.arguments import Arguments
from api.schemas.runs import RunQuery
from common.tables import COUNTS

SHOWN = f"""
    SELECT run_id, coalesce(q.dataset, r.dataset) AS dataset, coalesce(q.scope, r.scope) AS scope,
           coalesce(q.force, r.force) AS force, CASE WHEN q.run_id IS NULL THEN r.source ELSE 'api' END AS source,
           coalesce(r.state, 'queued') AS state, r.reason, coalesce(r.attempts, 0) AS attempts,
           json_build_object({", ".join(f"'{count}', coalesce(r.{count}, 0)" for count in COUNTS)}) AS counts,
           coalesce(q.accepted_at, r.accepted_at) AS accepted_at, r.started_at, r.listed_at, r.finished_at,
           s.schedule_id, s.slot_at
      FROM wanted LEFT JOIN ingest_requests q USING (run_id) LEFT JOIN runs r USING (run_id)
           LEFT JOIN LATERAL (SELECT schedule_id, slot_at FROM schedule_slots t WHERE t.run_id = wanted.run_id
                               ORDER BY slot_at LIMIT 1) s ON true
"""  # noqa: S608 - constants

RUN = f"""
WITH wanted AS (
    SELECT run_id FROM ingest_requests WHERE run_id = $1 UNION SELECT run_id FROM runs WHERE run_id = $1
), shown AS ({SHOWN})
SELECT row_to_json(shown)::text FROM shown
"""  # noqa: S608 - constants

# The api's own are placed by when it accepted them, so that none moves when the ingestor takes it up.
PAGE = """
WITH page AS (
    (SELECT q.run_id, q.accepted_at FROM ingest_requests q LEFT JOIN runs r USING (run_id)
      WHERE {accepted_here} ORDER BY q.accepted_at DESC, q.run_id DESC LIMIT {limit} + 1)
    UNION ALL
    (SELECT r.run_id, r.accepted_at FROM runs r
      WHERE NOT EXISTS (SELECT FROM ingest_requests q WHERE q.run_id = r.run_id) AND {others}
      ORDER BY r.accepted_at DESC, r.run_id DESC LIMIT {limit} + 1)
    ORDER BY accepted_at DESC, run_id DESC LIMIT {limit} + 1
), wanted AS (
    SELECT run_id FROM page ORDER BY accepted_at DESC, run_id DESC LIMIT {limit}
), shown AS ({shown}), last AS (
    SELECT accepted_at, run_id FROM shown ORDER BY accepted_at, run_id LIMIT 1
)
SELECT (SELECT coalesce(json_agg(shown ORDER BY accepted_at DESC, run_id DESC)::text, '[]') FROM shown) AS items,
       (SELECT count(*) > {limit} FROM page) AS more,
       (SELECT accepted_at FROM last) AS last_accepted,
       (SELECT run_id FROM last) AS last_id
"""


@dataclass(frozen=True, slots=True)
class RunsPage:
    """A page of runs: JSON text, and where the page ended if more follow."""

    items: str
    last: Position | None


async def run(connection: Any, run_id: UUID) -> str | None:
    """The run; None if nobody ever asked for it."""
    shown: str | None = await connection.fetchval(RUN, run_id)
    return shown


async def newest_runs(connection: Any, query: RunQuery, after: Position | None) -> RunsPage:
    """The runs that `query` asks for, the newest first, from behind `after` on."""
    arguments = Arguments()
    accepted_here = _conditions(query, after, arguments, table="q", state="coalesce(r.state, 'queued')")
    others = _conditions(query, after, arguments, table="r", state="r.state")
    statement = PAGE.format(accepted_here=accepted_here, others=others, limit=query.limit, shown=SHOWN)
    row = await connection.fetchrow(statement, *arguments)
    last = Position(row["last_accepted"], UUID(str(row["last_id"])).int) if row["more"] else None
    return RunsPage(row["items"], last)


def _conditions(query: RunQuery, after: Position | None, arguments: Arguments, *, table: str, state: str) -> str:
    conditions = ["true"]
    if query.state:
        conditions.append(f"{state} = ANY({arguments.place(list(query.state))}::text[])")
    if query.dataset:
        conditions.append(f"{table}.dataset = ANY({arguments.place(list(query.dataset))}::text[])")
    if after is not None:
        at, run_id = arguments.place(after.at), arguments.place(UUID(int=after.tie))
        conditions.append(f"({table}.accepted_at, {table}.run_id) < ({at}::timestamptz, {run_id}::uuid)")
    return " AND ".join(conditions)
