"""The market and the machinery in numbers, as JSON text that PostgreSQL wrote."""

from typing import Any

STALE_SECONDS = 120
"""What upstream may have renewed for so long, and we have not read, is stale: a sweep takes seconds."""

# A region that a schedule names and nobody has read yet is listed too: what is expected belongs to the picture.
# Contracts are counted in two indexes that hold all it takes: of 69,000 in 11 ms, as long as they are vacuumed.
STATS = """
/* stats.count */
WITH listed AS MATERIALIZED (
    SELECT region_id, type, items_state, count(*) AS n, count(*) FILTER (WHERE date_expired > now()) AS live
      FROM contracts WHERE delisted_at IS NULL GROUP BY 1, 2, 3
), gone AS MATERIALIZED (
    SELECT region_id, items_state, count(*) AS n FROM contracts WHERE delisted_at IS NOT NULL GROUP BY 1, 2
), by_type AS (
    SELECT type, sum(live) AS n FROM listed GROUP BY type HAVING sum(live) > 0
), of_region AS (
    SELECT region_id, sum(n) AS listed, sum(live) AS live FROM listed GROUP BY region_id
), items AS (
    SELECT region_id, items_state AS state, sum(n) AS n
      FROM (SELECT region_id, items_state, n FROM listed UNION ALL SELECT region_id, items_state, n FROM gone) AS both_
     GROUP BY 1, 2
), items_of_region AS (
    SELECT region_id, json_build_object(
               'stored', coalesce(sum(n) FILTER (WHERE state = 'stored'), 0),
               'wanted', coalesce(sum(n) FILTER (WHERE state = 'wanted'), 0),
               'failed', coalesce(sum(n) FILTER (WHERE state = 'failed'), 0)) AS items
      FROM items GROUP BY region_id
), scheduled AS (
    SELECT (scope ->> 'region_id')::bigint AS region_id, min(next_due_at) FILTER (WHERE NOT paused) AS next_sweep_at
      FROM schedules WHERE dataset = 'contracts' AND scope ? 'region_id' GROUP BY 1
), region_counts AS (
    SELECT region_id, r.name, coalesce(c.live, 0) AS live, coalesce(c.listed, 0) AS listed,
           v.swept_at AS as_of, v.generation,
           extract(epoch FROM clock_timestamp() - v.generation)::float8 AS age_seconds,
           coalesce(v.complete_generation = v.generation, false) AS complete,
           v.fresh_until, coalesce(v.fresh_until + $2 * interval '1 second' < clock_timestamp(), true) AS stale,
           coalesce(i.items, '{"stored": 0, "wanted": 0, "failed": 0}') AS items,
           (SELECT row_to_json(s) FROM (
               SELECT run_id, swept_at, complete, pages, fetched, listed, changed, unchanged, rejected, delisted
                 FROM sweeps w WHERE w.region_id = followed.region_id
                ORDER BY w.generation DESC, w.swept_at DESC LIMIT 1) s) AS last_sweep,
           s.next_sweep_at
      FROM (SELECT region_id FROM coverage UNION SELECT region_id FROM scheduled) AS followed
      LEFT JOIN regions r USING (region_id) LEFT JOIN coverage v USING (region_id)
      LEFT JOIN of_region c USING (region_id) LEFT JOIN items_of_region i USING (region_id)
      LEFT JOIN scheduled s USING (region_id)
), limits AS (
    SELECT name, CASE WHEN resets_at <= clock_timestamp() THEN allowance ELSE remaining END AS remaining, allowance,
           resets_at, CASE WHEN paused_until > clock_timestamp() THEN paused_until END AS paused_until,
           CASE WHEN paused_until > clock_timestamp() THEN reason END AS reason, observed_at
      FROM upstream_limits
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
    'contracts', json_build_object(
        'live', (SELECT coalesce(sum(live), 0) FROM listed),
        'gone', (SELECT coalesce(sum(n), 0) FROM gone) + (SELECT coalesce(sum(n - live), 0) FROM listed),
        'by_type', (SELECT coalesce(json_object_agg(type, n ORDER BY type), '{}') FROM by_type)),
    'items', (SELECT json_build_object(
        'stored', coalesce(sum(n) FILTER (WHERE state = 'stored'), 0),
        'wanted', coalesce(sum(n) FILTER (WHERE state = 'wanted'), 0),
        'failed', coalesce(sum(n) FILTER (WHERE state = 'failed'), 0)) FROM items),
    'regions', (SELECT coalesce(json_agg(region_counts ORDER BY region_id), '[]') FROM region_counts),
    'upstream', json_build_object(
        'paused_until', (SELECT max(paused_until) FROM limits),
        'reason', (SELECT reason FROM limits WHERE paused_until IS NOT NULL ORDER BY paused_until DESC LIMIT 1),
        'limits', (SELECT coalesce(json_agg(limits ORDER BY name), '[]') FROM limits)),
    'backlogs', json_build_object(
        'items', (SELECT coalesce(sum(n), 0) FROM items WHERE state = 'wanted'),
        'bids', (SELECT count(*) FROM contracts WHERE bids_due_at <= clock_timestamp()),
        'outcomes', (SELECT count(*) FROM contracts WHERE outcome_due_at IS NOT NULL),
        'dynamic_items', (SELECT count(*) FROM dynamic_items WHERE state = 'wanted'),
        'names', (SELECT count(*) FROM names WHERE name IS NULL)),
    'outbox', (SELECT json_object_agg(service, n ORDER BY service) FROM waiting),
    'runs', (SELECT json_object_agg(state, n ORDER BY place) FROM run_counts)
)::text
"""


async def stats(connection: Any, run_states: tuple[str, ...]) -> str:
    """How much there is of everything, at this moment; `run_states` are counted even at zero."""
    counted: str = await connection.fetchval(STATS, list(run_states), STALE_SECONDS)
    return counted
