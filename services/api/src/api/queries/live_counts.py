"""How many live contracts there are of something, out of what the database keeps count of as it writes.

Counted are listed contracts; those that have expired, and stand in a list until the next sweep, are taken off now and
then by the ingestor, and those of the last seconds here. So it costs what occurs, whatever the size of the market
(docs/decisions/0017-what-is-listed-is-counted-as-it-is-written.md).
"""

from typing import Literal

from common.tables.contracts import CATEGORY_FACET, GROUP_FACET

PASSED = "passed_listed_count_horizon()"
"""What has expired and is still counted, with -1 as its `change`; or after the clock was set back the contrary, with 1.

It is what expired in the last seconds, if an ingestor is at work."""
Kind = Literal["type", "group", "category", "region", "system", "station"]


def _facets(least: int, beyond: int) -> str:
    return f"""
        SELECT (facet - {least})::bigint, change
          FROM (SELECT unnest(c.facets) AS facet, c.change FROM {PASSED} c) AS offered
         WHERE facet >= {least} AND facet < {beyond}
    """  # noqa: S608 - constants


# As `counted_by` tells for each contract by itself, which takes five times as long.
_PASSED_BY: dict[Kind, str] = {
    "type": _facets(0, GROUP_FACET),
    "group": _facets(GROUP_FACET, CATEGORY_FACET),
    "category": _facets(CATEGORY_FACET, CATEGORY_FACET + GROUP_FACET),
    "region": f"SELECT c.region_id, c.change FROM {PASSED} c",  # noqa: S608 - constants
    "system": f"SELECT c.system_id, c.change FROM {PASSED} c",  # noqa: S608 - constants
    "station": f"SELECT c.start_location_id, c.change FROM {PASSED} c",  # noqa: S608 - constants
}


def unsettled(kind: Kind) -> str:
    """A query for `id` and `change`: what `listed_counts.contracts` is to be corrected by. Few rows, if any."""
    return f"""
        SELECT id, sum(n)::int AS change FROM (
            SELECT id, change FROM listed_count_changes WHERE kind = '{kind}'
            UNION ALL
            SELECT number, n FROM ({_PASSED_BY[kind]}) AS passed (number, n) WHERE number IS NOT NULL
           ) AS moved (id, n)
         GROUP BY id
    """  # noqa: S608 - constants


OF_CONTRACT_TYPES = f"""
/* live_counts.of_contract_types */
SELECT substr(kind, 10) AS type, sum(n)::bigint AS n FROM (
    SELECT kind, id, contracts FROM listed_counts WHERE kind LIKE 'contract %'
    UNION ALL
    SELECT kind, id, change FROM listed_count_changes WHERE kind LIKE 'contract %'
    UNION ALL
    SELECT 'contract ' || c.type, c.region_id, c.change FROM {PASSED} c
   ) AS counted (kind, region_id, n)
 WHERE region_id = ANY($1::bigint[]) OR cardinality($1::bigint[]) = 0 GROUP BY kind HAVING sum(n) > 0
"""  # noqa: S608 - constants
"""How many contracts of each type are live in these regions, or in all if none is named."""


def live_counts(kind: Kind) -> str:
    """A query for the `id` of everything of this kind that is live, and `live`: how often."""
    return f"""
        SELECT id, live FROM (
            SELECT id, coalesce(l.contracts, 0) + coalesce(u.change, 0) AS live
              FROM (SELECT id, contracts FROM listed_counts WHERE kind = '{kind}') l
                   FULL JOIN ({unsettled(kind)}) u USING (id)) AS counted
         WHERE live > 0
    """  # noqa: S608 - constants
