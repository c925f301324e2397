"""How far the regions behind an answer are known, as a part of a statement that answers with something beside."""

from dataclasses import dataclass
from typing import Any, Self

from api.queries.filters import LIVE
from api.queries.stats import STALE_SECONDS

COVERAGE = f"""
WITH unread AS (
    SELECT c.region_id, true AS pending, count(*) AS n FROM contracts c
     WHERE c.items_state = 'wanted' AND {LIVE} GROUP BY c.region_id
    UNION ALL
    SELECT c.region_id, false, count(*) FROM contracts c
     WHERE c.items_state = 'failed' AND {LIVE} GROUP BY c.region_id
), covered AS (
    SELECT region_id, r.name, v.swept_at AS as_of, coalesce(v.complete_generation = v.generation, false) AS complete,
           coalesce(v.fresh_until + {STALE_SECONDS} * interval '1 second' < clock_timestamp(), true) AS stale,
           coalesce(u.n, 0) AS items_pending
      FROM (SELECT unnest($1::bigint[]) AS region_id
             UNION SELECT region_id FROM coverage WHERE cardinality($1::bigint[]) = 0) AS asked
           LEFT JOIN regions r USING (region_id) LEFT JOIN coverage v USING (region_id)
           LEFT JOIN (SELECT region_id, n FROM unread WHERE pending) u USING (region_id)
)
"""  # noqa: S608 - constants
"""`$1`: the regions that are asked for; all that were ever read if it is empty."""

COVERED = """
(SELECT to_json(CASE WHEN bool_and(as_of IS NOT NULL) THEN min(as_of) END)::text FROM covered) AS as_of,
(SELECT coalesce(json_agg(covered ORDER BY region_id)::text, '[]') FROM covered) AS regions,
(SELECT coalesce(sum(n), 0)::bigint FROM unread) AS unread
"""


@dataclass(frozen=True, slots=True)
class Covered:
    """JSON texts, and how many live contracts there are, anywhere, whose items nobody knows yet."""

    as_of: str
    regions: str
    unread: int

    @classmethod
    def told_by(cls, row: Any) -> Self:
        """As COVERED says it."""
        return cls(row["as_of"] or "null", row["regions"], row["unread"])
