"""What is measured besides the numbers of `data/stats`."""

from typing import Any

import orjson

from common.heartbeat import STALE_SECONDS

PROGRESS = """
/* metrics.progress */
SELECT json_build_object(
    'runs', (SELECT coalesce(json_agg(r), '[]')
               FROM (SELECT dataset, state, count(*) AS n FROM runs GROUP BY dataset, state) r),
    'processes', (SELECT coalesce(json_agg(p), '[]')
                    FROM (SELECT service, instance, progress,
                                 extract(epoch FROM clock_timestamp() - beat_at)::float8 AS silent_seconds,
                                 clock_timestamp() - beat_at < $1 * interval '1 second' AS alive
                            FROM heartbeats) p)
)::text
"""


async def progress(connection: Any) -> dict[str, Any]:
    """Runs by dataset and state, and what every process last said of itself."""
    found: dict[str, Any] = orjson.loads(await connection.fetchval(PROGRESS, STALE_SECONDS))
    return found
