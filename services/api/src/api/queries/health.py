"""What the database says of the state of the system."""

from typing import Any

import asyncpg
import orjson

from common.heartbeat import STALE_SECONDS

SCHEMA = "SELECT max(version_num) FROM alembic_version"

STATE = """
WITH beating AS (
    SELECT service, instance, clock_timestamp() - beat_at < $1 * interval '1 second' AS alive, beat_at, started_at,
           progress
      FROM heartbeats
), covered AS (
    SELECT region_id, r.name, v.swept_at AS as_of, coalesce(v.complete_generation = v.generation, false) AS complete,
           v.fresh_until
      FROM coverage v LEFT JOIN regions r USING (region_id)
), waiting AS (
    SELECT service, count(*) AS n FROM outbox GROUP BY service
)
SELECT json_build_object(
    'universe_loaded', EXISTS (SELECT FROM regions),
    'services', (SELECT coalesce(json_agg(beating ORDER BY service, instance), '[]') FROM beating),
    'regions', (SELECT coalesce(json_agg(covered ORDER BY region_id), '[]') FROM covered),
    'outbox', (SELECT coalesce(json_object_agg(service, n ORDER BY service), '{}') FROM waiting)
)::text
"""


async def schema_revision(connection: Any) -> str | None:
    """The revision that the schema is at; None before the first migration."""
    try:
        revision: str | None = await connection.fetchval(SCHEMA)
    except asyncpg.UndefinedTableError:
        return None
    return revision


async def state(connection: Any) -> dict[str, Any]:
    """Which processes beat, which regions are covered, what waits in the outbox, and whether the universe is loaded."""
    found: dict[str, Any] = orjson.loads(await connection.fetchval(STATE, STALE_SECONDS))
    return found
