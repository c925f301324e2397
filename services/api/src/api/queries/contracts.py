"""Pages of contracts: which ones, then what is shown of them, as JSON text that PostgreSQL wrote."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

import orjson

from api.cursors import Position
from api.queries import filters, offered, shown
from api.queries.arguments import Arguments
from api.queries.coverage import COVERAGE, COVERED, Covered
from api.queries.filters import Branch
from api.queries.reach import NO_OUTLOOK, Outlook, Reach
from api.queries.search import Search, Tier, spans, with_ids
from api.queries.sorting import Stretch, parts_of, stretches
from api.schemas.base import BIGINT
from api.schemas.contract_filters import State
from api.schemas.contracts import ContractQuery, Sort

STRETCH = """
SELECT c.contract_id, c.type, {key} AS key FROM {source} c
 WHERE {filters} AND {condition} ORDER BY {order} LIMIT {most}
"""
WALKS = (Reach.NEAR, Reach.DOUBTFUL)
FIRST_STEP = 4
"""Of a doubtful walk, one in so many is tried first: the sample that speaks for it has one or two of what is rare, and
that says little. It goes on if that would find enough."""
WALK = """
SELECT c.contract_id, c.type, {key} AS key
  FROM (SELECT {columns} FROM contracts c WHERE {indexed} AND {condition} ORDER BY {order} LIMIT {walked}) c
 WHERE {filters} ORDER BY {order} LIMIT {most}
"""
# MATERIALIZED: sorted when all are found, not found in the order of an index that most of them are not in.
ALL = """
WITH found AS MATERIALIZED (
    SELECT c.contract_id, c.type, {key} AS key FROM contracts c WHERE {filters} AND {condition}
)
SELECT *, (SELECT json_object_agg(type, n)::text FROM (SELECT type, count(*) AS n FROM found GROUP BY type) AS each)
            AS by_type
  FROM found ORDER BY {order_of_found} LIMIT {most}
"""
MERGED = "SELECT * FROM ({branches}) AS found ORDER BY {order} LIMIT {most}"
BEHIND = "SELECT * FROM ({stretch}) AS found ORDER BY {order} OFFSET {skipped}::bigint"
PASSED = "/* contracts.passed */ SELECT count(*) FROM ({stretch}) AS passed"

OfDays = Callable[[Sequence[date], Arguments], str]
"""The condition that a contract was issued on one of some days."""

SHOWN = f"""
/* contracts.shown */
{COVERAGE},
listed AS (
    SELECT coalesce('[' || string_agg((SELECT row_to_json(fields) FROM (SELECT {{columns}}) AS fields)::text, ','
                                      ORDER BY place) || ']', '[]') AS items
      FROM unnest($2::bigint[]) WITH ORDINALITY AS asked (contract_id, place) JOIN contracts c USING (contract_id)
)
SELECT (SELECT items FROM listed) AS items, {COVERED}
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Found:
    """A contract of the list, and where in it that stands."""

    contract_id: int
    contract_type: str
    key: Any
    part: int

    def position(self, *, backwards: bool) -> Position:
        return Position(self.key, self.contract_id, backwards, self.part)


@dataclass(frozen=True, slots=True)
class Page:
    """The contracts of a page in the list's order, and where the pages around it are."""

    found: Sequence[Found]
    after: Position | None
    """Where what follows begins; None if nothing does."""
    before: Position | None
    is_whole: bool
    """Whether that is the whole list."""
    counted: Mapping[str, int] | None = field(default=None, compare=False)
    """The contracts of the whole list by type, where all of it was looked up to find the page."""

    @property
    def contract_ids(self) -> list[int]:
        return [each.contract_id for each in self.found]

    @property
    def by_type(self) -> Mapping[str, int] | None:
        """The contracts of the whole list by type, if that is known by now."""
        return Counter(each.contract_type for each in self.found) if self.is_whole else self.counted


async def page_of(
    connection: Any,
    query: ContractQuery,
    search: Search | None,
    position: Position | None,
    outlook: Outlook = NO_OUTLOOK,
    offering: Sequence[int] | None = None,
) -> Page:
    """The page at `position` of the list that `query` asks for; `outlook` and `offering` only say how to find it."""
    read, counted = await _read(connection, query, search, position, outlook, offering)
    page, more = read[: query.most], len(read) > query.most
    backwards = position is not None and position.backwards
    if not page:
        turned = None if position is None else _turned(position, descending=query.descending)
        is_whole = position is None and not query.skipped
        return Page([], turned if backwards else None, None if backwards else turned, is_whole=is_whole)
    beyond = page[-1].position(backwards=backwards) if more else None
    behind = page[0].position(backwards=not backwards) if position is not None or query.skipped else None
    if backwards:
        return Page(page[::-1], behind, beyond, is_whole=False)
    return Page(page, beyond, behind, is_whole=not more and behind is None, counted=counted)


async def shown_of(
    connection: Any, contract_ids: Sequence[int], fields: Sequence[str], region_ids: Sequence[int]
) -> tuple[str, Covered]:
    """What a list shows of these contracts, in this order, and how far these regions are known, or all by default.

    One question, for both are the same for all lists: PostgreSQL plans it once.
    """
    row = await connection.fetchrow(SHOWN.format(columns=shown.columns(fields)), region_ids, contract_ids)
    return row["items"], Covered.told_by(row)


async def _read(
    connection: Any,
    query: ContractQuery,
    search: Search | None,
    position: Position | None,
    outlook: Outlook,
    offering: Sequence[int] | None,
) -> tuple[list[Found], Mapping[str, int] | None]:
    """The contracts of the page, and one more if there is one; and all of the list by type, if all was looked up.

    Another part is only begun when one was too short.
    """
    found: dict[int, Found] = {}
    counted: Mapping[str, int] | None = None
    parts = parts_of(query, search)
    wanted, skipped = query.most + 1, query.skipped
    arguments = Arguments()
    # By relevance each part is itself a part of what is searched for.
    asked = query.model_copy(update={"q": None}) if query.sorted_by is Sort.RELEVANCE else query
    branches = filters.branches(asked, arguments, search, offering)
    looked_up = filters.branches(asked, arguments, search, offering, looked_up=True)
    indexed = filters.indexed(asked, arguments)
    is_sorted = outlook.reach is not Reach.NEAR
    anew = arguments.planned_anew()
    for stretch in stretches(parts, position, arguments, descending=query.descending):
        most = arguments.place(skipped + wanted - len(found))
        tier = await _tier(connection, search, stretch.part.tier)
        if tier is not None and tier.ids == []:
            continue
        told = f"{tier.condition(arguments)} AND {anew}" if tier else anew
        if outlook.walked and outlook.reach in WALKS and not skipped:
            walk = partial(_walk, branches[0], indexed, stretch, told, f"{most}::bigint")
            rows = await _walked(connection, arguments, walk, outlook, wanted - len(found))
            if rows:
                return [*found.values(), *_found(rows, stretch)], None
        of_days = None if skipped else _of_days(asked, tier, outlook)
        if of_days is not None:
            rows = await _day_by_day(
                connection, looked_up[0], stretch, of_days, position, arguments, wanted - len(found)
            )
            found |= {each.contract_id: each for each in _found(rows, stretch)}
            if len(found) >= wanted:
                break
            continue
        each = looked_up if is_sorted else branches
        statement = _statement(each, stretch, told, f"{most}::bigint", sort=is_sorted)
        behind = (
            BEHIND.format(stretch=statement, order=stretch.order_of_found, skipped=arguments.place(skipped))
            if skipped
            else statement
        )
        rows = await _fetch(connection, arguments, f"/* contracts.stretch */ {behind}")
        if skipped and not rows:
            (passed,) = await _fetch(connection, arguments, PASSED.format(stretch=statement))
            skipped -= passed["count"]
            continue
        if is_sorted and position is None and len(parts) == 1:
            counted = orjson.loads(rows[0]["by_type"]) if rows else {}
        skipped = 0
        found |= {each.contract_id: each for each in _found(rows, stretch)}
        if len(found) >= wanted:
            break
    return list(found.values()), counted


async def _walked(
    connection: Any, arguments: Arguments, walk: Callable[[int], str], outlook: Outlook, wanted: int
) -> list[Any]:
    """The first `wanted` of a stretch, if they are found among the next contracts; else nothing."""
    most, is_certain = outlook.walked, outlook.reach is Reach.NEAR or outlook.counted is not None
    for walked in (most,) if is_certain else (most // FIRST_STEP, most):
        rows: list[Any] = await _fetch(connection, arguments, f"/* contracts.walk */ {walk(walked)}")
        if len(rows) >= wanted:
            return rows
        if len(rows) * FIRST_STEP < wanted:
            break
    return []


def _of_days(query: ContractQuery, tier: Tier | None, outlook: Outlook) -> OfDays | None:
    """What finds the contracts of some days, where those of all would be too many; None if that is not to be done."""
    if query.wanted_state is not State.LIVE:
        return None
    if tier is not None:
        return tier.of_days if tier.is_scattered else None
    return offered.issued_on if outlook.is_daily and query.sorted_by is Sort.ISSUED else None


async def _day_by_day(
    connection: Any,
    branch: Branch,
    stretch: Stretch,
    of_days: OfDays,
    position: Position | None,
    arguments: Arguments,
    wanted: int,
) -> list[Any]:
    """The first `wanted` in the order of issue: of a day or two, then of twice as many days until that is enough."""
    inside = position is not None and position.part == stretch.part.number
    key = position.key if position is not None and inside else None
    since = key if isinstance(key, datetime) else None
    anew = arguments.planned_anew()
    found: list[Any] = []
    for days in await spans(connection, newest_first=stretch.direction == "DESC", since=since):
        told = f"{of_days(days, arguments)} AND {anew}"
        most = f"{arguments.place(wanted - len(found))}::bigint"
        statement = _statement([branch], stretch, told, most, sort=True)
        found += await _fetch(connection, arguments, f"/* contracts.days */ {statement}")
        if len(found) >= wanted:
            break
    return found


def _found(rows: Sequence[Any], stretch: Stretch) -> list[Found]:
    return [Found(row["contract_id"], row["type"], row["key"], stretch.part.number) for row in rows]


async def _tier(connection: Any, search: Search | None, tier: Tier | None) -> Tier | None:
    return None if search is None or tier is None else await with_ids(connection, search, tier)


async def _fetch(connection: Any, arguments: Arguments, statement: str) -> Any:
    statement, used = arguments.used_in(statement)
    return await connection.fetch(statement, *used)


def _walk(branch: Branch, indexed: str, stretch: Stretch, told: str, most: str, walked: int) -> str:
    """Those of the first `most` of a stretch that are among the next contracts in the list's order."""
    held = f"{branch.condition} AND {told}"
    return WALK.format(
        columns=filters.columns(held, stretch.order),
        key=stretch.part.key or "NULL::int",
        indexed=indexed,
        condition=stretch.condition,
        order=stretch.order,
        walked=walked,
        filters=held,
        most=most,
    )


def _statement(branches: Sequence[Branch], stretch: Stretch, told: str, most: str, *, sort: bool) -> str:
    """The first `most` of a stretch. Each branch is in the order of an index, so that a few of each are enough.

    With `sort` it is the only branch, all of it is found, whatever the order, and then sorted.
    """
    if sort:
        (branch,) = branches
        return ALL.format(
            key=stretch.part.key or "NULL::int",
            filters=branch.condition,
            condition=f"{stretch.condition} AND {told}",
            order_of_found=stretch.order_of_found,
            most=most,
        )
    each = [
        STRETCH.format(
            key=stretch.part.key or "NULL::int",
            source=branch.source,
            filters=branch.condition,
            condition=f"{stretch.condition} AND {told}",
            order=stretch.order,
            most=most,
        )
        for branch in branches
    ]
    if len(each) == 1:
        return each[0]
    merged = " UNION ALL ".join(f"({branch})" for branch in each)
    return MERGED.format(branches=merged, order=stretch.order_of_found, most=most)


def _turned(position: Position, *, descending: bool) -> Position:
    """From where there is nothing more the other way, the contract at `position` included."""
    step = 1 if descending == position.backwards else -1
    tie = min(max(0, position.tie + step), BIGINT)
    return Position(position.key, tie, not position.backwards, position.part)
