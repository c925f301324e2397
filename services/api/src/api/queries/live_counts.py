"""How many live contracts there are of something, out of what the database keeps count of as it writes.

Counted are listed contracts; those that have expired since, and stand in a list until the next sweep, are taken off
here. So it costs what occurs and what expired lately, whatever the size of the market
(docs/decisions/0017-what-is-listed-is-counted-as-it-is-written.md).
"""

from typing import Literal

Kind = Literal["facet", "region", "system", "station"]

_LAPSED = """
SELECT k.kind, k.id, -1 FROM contracts c, counted_by(c.facets, c.region_id, c.system_id, c.start_location_id) k
 WHERE c.delisted_at IS NULL AND c.date_expired <= now()
"""


def live_counts(kind: Kind) -> str:
    """A query for the `id` of everything of this kind that is live, and `live`: how often."""
    return f"""
        SELECT id, sum(n)::int AS live FROM (
            SELECT kind, id, contracts FROM listed_counts UNION ALL SELECT kind, id, change FROM listed_count_changes
            UNION ALL {_LAPSED}) AS counted (kind, id, n)
         WHERE kind = '{kind}' GROUP BY id HAVING sum(n) > 0
    """  # noqa: S608 - constants


def unsettled(kind: Kind) -> str:
    """A query for `id` and `change`: what `listed_counts.contracts` of a few ids is to be corrected by."""
    return f"""
        SELECT id, sum(n)::int AS change FROM (
            SELECT kind, id, change FROM listed_count_changes UNION ALL {_LAPSED}) AS counted (kind, id, n)
         WHERE kind = '{kind}' GROUP BY id
    """  # noqa: S608 - constants
