"""Pages of contracts: which ones, then what is shown of them, as JSON text that PostgreSQL wrote."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.cursors import Position
from api.queries import filters, shown
from api.queries.arguments import Arguments
from api.queries.search import Search
from api.queries.sorting import Part, parts_of, stretches
from api.schemas.base import BIGINT
from api.schemas.contracts import ContractQuery, Sort

STRETCH = """
/* contracts.stretch */
SELECT c.contract_id, c.type, {key} AS key FROM contracts c
 WHERE {filters} AND {condition} ORDER BY {order} LIMIT {most}
"""

SHOWN = """
/* contracts.shown */
SELECT coalesce('[' || string_agg((SELECT row_to_json(fields) FROM (SELECT {columns}) AS fields)::text, ','
                                  ORDER BY place) || ']', '[]')
  FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (contract_id, place) JOIN contracts c USING (contract_id)
"""


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

    @property
    def contract_ids(self) -> list[int]:
        return [each.contract_id for each in self.found]


async def page_of(connection: Any, query: ContractQuery, search: Search | None, position: Position | None) -> Page:
    """The page at `position` of the list that `query` asks for."""
    wanted = query.skipped + query.most + 1
    read = (await _read(connection, query, search, position, wanted))[query.skipped :]
    page, more = read[: query.most], len(read) > query.most
    backwards = position is not None and position.backwards
    if not page:
        turned = None if position is None else _turned(position, descending=query.descending)
        return Page([], turned if backwards else None, None if backwards else turned, is_whole=position is None)
    beyond = page[-1].position(backwards=backwards) if more else None
    behind = page[0].position(backwards=not backwards) if position is not None or query.skipped else None
    if backwards:
        return Page(page[::-1], behind, beyond, is_whole=False)
    return Page(page, beyond, behind, is_whole=not more and behind is None)


async def contracts_shown(connection: Any, contract_ids: Sequence[int], fields: Sequence[str]) -> str:
    """What a list shows of these contracts, in this order."""
    text: str = await connection.fetchval(SHOWN.format(columns=shown.columns(fields)), contract_ids)
    return text


async def _read(
    connection: Any, query: ContractQuery, search: Search | None, position: Position | None, wanted: int
) -> list[Found]:
    """The next `wanted` contracts. Another part is only begun when those before it were too short."""
    found: dict[int, Found] = {}
    arguments = Arguments()
    # By relevance each part is itself a part of what is searched for.
    asked = query.model_copy(update={"q": None}) if query.sorted_by is Sort.RELEVANCE else query
    where = filters.where(asked, arguments, search)
    parts = parts_of(query, search, arguments)
    for stretch in stretches(parts, position, arguments, descending=query.descending):
        statement, used = arguments.used_in(
            STRETCH.format(
                key=_key(stretch.part),
                filters=where,
                condition=stretch.condition,
                order=stretch.order,
                most=wanted - len(found),
            )
        )
        for row in await connection.fetch(statement, *used):
            found[row["contract_id"]] = Found(row["contract_id"], row["type"], row["key"], stretch.part.number)
        if len(found) >= wanted:
            break
    return list(found.values())


def _key(part: Part) -> str:
    return part.key or "NULL::int"


def _turned(position: Position, *, descending: bool) -> Position:
    """From where there is nothing more the other way, the contract at `position` included."""
    step = 1 if descending == position.backwards else -1
    tie = min(max(0, position.tie + step), BIGINT)
    return Position(position.key, tie, not position.backwards, position.part)
