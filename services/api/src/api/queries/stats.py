"""The market and the machinery in numbers, as JSON text that PostgreSQL wrote."""

from typing import Any

# A region that a schedule names and nobody has read yet is listed too: what is expected belongs to the picture.
STATS = """
WITH counted AS (
    SELECT region_id, type, items_state, delisted_at IS NULL AND date_expired > now() AS live, count(*) AS n
      FROM contracts GROUP BY 1, 2, 3, 4
), by_type AS (
    SELECT type, sum(n) AS n FROM counted WHERE live GROUP BY type
), followed AS (
    SELECT region_id FROM coverage
    UNION SELECT (scope ->> 'region_id')::bigint FROM schedules WHERE scope ? 'region_id'
), region_counts AS (
    SELECT f.region_id, r.name,
           coalesce((SELECT sum(n) FROM counted c WHERE c.region_id = f.region_id AND live), 0) AS live,
           v.swept_at AS as_of, v.generation, coalesce(v.complete_generation = v.generation, false) AS complete,
           v.fresh_until
      FROM followed f LEFT JOIN regions r USING (region_id) LEFT JOIN coverage v USING (region_id)
), waiting AS (
    SELECT service, count(o.id) AS n
      FROM (VALUES ('api'), ('ingestor'), ('scheduler')) AS known (service) LEFT JOIN outbox o USING (service)
     GROUP BY service
), run_states AS (
    SELECT state, count(*) AS n FROM runs GROUP BY state
    UNION ALL
    SELECT 'queued', count(*) FROM ingest_requests q WHERE NOT EXISTS (SELECT FROM runs r WHERE r.run_id = q.run_id)
), run_counts AS (
    SELECT state, place, coalesce(sum(n), 0) AS n
      FROM unnest($1::text[]) WITH ORDINALITY AS known (state, place) LEFT JOIN run_states USING (state)
     GROUP BY state, place
)
SELECT json_build_object(
    'as_of', clock_timestamp(),
    'contracts', (SELECT json_build_object(
        'live', coalesce(sum(n) FILTER (WHERE live), 0),
        'gone', coalesce(sum(n) FILTER (WHERE NOT live), 0),
        'by_type', (SELECT coalesce(json_object_agg(type, n ORDER BY type), '{}') FROM by_type)) FROM counted),
    'items', (SELECT json_build_object(
        'stored', coalesce(sum(n) FILTER (WHERE items_state = 'stored'), 0),
        'wanted', coalesce(sum(n) FILTER (WHERE items_state = 'wanted'), 0),
        'failed', coalesce(sum(n) FILTER (WHERE items_state = 'failed'), 0)) FROM counted),
    'regions', (SELECT coalesce(json_agg(region_counts ORDER BY region_id), '[]') FROM region_counts),
    'outbox', (SELECT json_object_agg(service, n ORDER BY service) FROM waiting),
    'runs', (SELECT json_object_agg(state, n ORDER BY place) FROM run_counts)
)::text
"""


async def stats(connection: Any, run_states: tuple[str, ...]) -> str:
    """How much there is of everything, at this moment; `run_states` are counted even at zero."""
    counted: str = await connection.fetchval(STATS, list(run_states))
    return counted
