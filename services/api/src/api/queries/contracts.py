"""A page of contracts, as JSON text that PostgreSQL wrote."""

from dataclasses import dataclass
from typing import Any

from api.cursors import Position
from api.queries import filters, shown
from api.queries.arguments import Arguments
from api.queries.sorting import key_of, stretches
from api.queries.stats import STALE_SECONDS
from api.schemas.base import BIGINT
from api.schemas.contracts import ContractQuery

# Each stretch stands in the order of an index, and the next one is only begun when the one before was too short.
STRETCH = """
stretch_{number} AS MATERIALIZED (
    SELECT c.contract_id, {key} AS key FROM contracts c
     WHERE {filters} AND {condition} {unless_full} ORDER BY {order} LIMIT {most}
)"""
UNLESS_FULL = "AND (SELECT count(*) FROM stretch_0) < {most}"

PAGE = """
/* contracts.page */
WITH {stretches}, page AS (
    SELECT contract_id, key, row_number() OVER () AS place
      FROM (SELECT * FROM ({union}) AS joined_ ORDER BY part, {order} OFFSET {skipped} LIMIT {limit} + 1) AS ordered
), shown AS (
    SELECT p.place, c.type, (SELECT row_to_json(fields) FROM (SELECT {columns}) AS fields) AS contract
      FROM page p JOIN contracts c USING (contract_id) WHERE p.place <= {limit}
), ends AS (
    SELECT min(place) AS nearest, max(place) AS farthest FROM page WHERE place <= {limit}
), unread AS (
    SELECT c.region_id, true AS pending, count(*) AS n FROM contracts c
     WHERE c.items_state = 'wanted' AND {live} GROUP BY c.region_id
    UNION ALL
    SELECT c.region_id, false, count(*) FROM contracts c
     WHERE c.items_state = 'failed' AND {live} GROUP BY c.region_id
), covered AS (
    SELECT region_id, r.name, v.swept_at AS as_of, coalesce(v.complete_generation = v.generation, false) AS complete,
           coalesce(v.fresh_until + {stale_seconds} * interval '1 second' < now(), true) AS stale,
           coalesce(u.n, 0) AS items_pending
      FROM {regions} AS asked (region_id) LEFT JOIN regions r USING (region_id) LEFT JOIN coverage v USING (region_id)
           LEFT JOIN (SELECT region_id, n FROM unread WHERE pending) u USING (region_id)
)
SELECT (SELECT coalesce('[' || string_agg(contract::text, ',' ORDER BY place {shown_order}) || ']', '[]') FROM shown)
           AS items,
       (SELECT count(*) FROM page) AS found,
       (SELECT array_agg(type) FROM shown) AS types,
       (SELECT key FROM page, ends WHERE place = nearest) AS nearest_key,
       (SELECT contract_id FROM page, ends WHERE place = nearest) AS nearest_id,
       (SELECT key FROM page, ends WHERE place = farthest) AS farthest_key,
       (SELECT contract_id FROM page, ends WHERE place = farthest) AS farthest_id,
       (SELECT to_json(CASE WHEN bool_and(as_of IS NOT NULL) THEN min(as_of) END)::text FROM covered) AS as_of,
       (SELECT coalesce(json_agg(covered ORDER BY region_id)::text, '[]') FROM covered) AS coverage,
       (SELECT coalesce(sum(n), 0) FROM unread) AS unread
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of contracts: JSON texts, and where the pages around it are."""

    items: str
    as_of: str
    coverage: str
    after: Position | None
    """Where what follows begins; None if nothing does."""
    before: Position | None
    whole: list[str] | None
    """The type of each contract of the list, if all of it stands on this page."""
    unread: int
    """Live contracts whose items nobody knows yet, anywhere."""


async def page_of(connection: Any, query: ContractQuery, position: Position | None) -> Page:
    """The page at `position` of the list that `query` asks for."""
    statement, arguments = _statement(query, position)
    row = await connection.fetchrow(statement, *arguments)
    more = row["found"] > query.most
    after, before = _neighbours(query, position, row, more=more)
    return Page(
        row["items"],
        row["as_of"] or "null",
        row["coverage"],
        after,
        before,
        (row["types"] or []) if not more and position is None and not query.skipped else None,
        row["unread"],
    )


def _statement(query: ContractQuery, position: Position | None) -> tuple[str, Arguments]:
    arguments = Arguments()
    where = filters.where(query, arguments)
    backwards = position is not None and position.backwards
    most = query.skipped + query.most + 1
    parts = list(enumerate(stretches(key_of(query), position, arguments, descending=query.descending)))
    direction = "DESC" if query.descending != backwards else "ASC"
    regions = "(SELECT region_id FROM coverage)"
    if query.region_id:
        regions = f"(SELECT DISTINCT unnest({arguments.place(query.region_id)}::bigint[]))"
    statement = PAGE.format(
        stretches=",".join(
            STRETCH.format(
                number=number,
                key=part.key,
                filters=where,
                condition=part.condition,
                order=part.order,
                most=most,
                unless_full=UNLESS_FULL.format(most=most) if number else "",
            )
            for number, part in parts
        ),
        union=" UNION ALL ".join(f"SELECT {number} AS part, * FROM stretch_{number}" for number, _ in parts),  # noqa: S608
        order=f"key {direction}, contract_id {direction}",
        skipped=query.skipped,
        limit=query.most,
        columns=shown.columns(query.fields),
        shown_order="DESC" if backwards else "ASC",
        live=filters.LIVE,
        regions=regions,
        stale_seconds=STALE_SECONDS,
    )
    return statement, arguments


def _neighbours(
    query: ContractQuery, position: Position | None, row: Any, *, more: bool
) -> tuple[Position | None, Position | None]:
    """Where the pages after and before this one are. `nearest` is the end at which its reading began."""
    backwards = position is not None and position.backwards
    begun_inside = position is not None or query.skipped > 0
    if row["found"] == 0:
        turned = _turned(position, descending=query.descending) if position else None
        return (turned, None) if backwards else (None, turned)
    farthest = Position(row["farthest_key"], row["farthest_id"], backwards) if more else None
    nearest = Position(row["nearest_key"], row["nearest_id"], not backwards) if begun_inside else None
    return (nearest, farthest) if backwards else (farthest, nearest)


def _turned(position: Position, *, descending: bool) -> Position:
    """From where there is nothing more the other way, the contract at `position` included."""
    step = 1 if descending == position.backwards else -1
    tie = min(max(0, position.tie + step), BIGINT)
    return Position(position.key, tie, not position.backwards)
