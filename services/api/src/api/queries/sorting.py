"""The order of a list as SQL: what has no value last both ways, and the contract's id to break ties.

A list is read in parts, one after the other, each in the order of one index: first the contracts that have a value,
then those that have none. So a page costs the same at any depth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.cursors import Position
from api.queries.arguments import Arguments
from api.schemas.contracts import ContractQuery, Sort


@dataclass(frozen=True, slots=True)
class Part:
    """Contracts that stand together in a list, by `key`, or where that is None by their ids only."""

    number: int
    condition: str
    key: str | None = None
    kind: str = "bigint"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part, or what is left of it, as it is to be read."""

    part: Part
    condition: str
    order: str


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column of `contracts c`. `often_zero`: of most contracts, so that only the others are in its index."""

    column: str
    kind: str
    nullable: bool = True
    often_zero: bool = False


KEYS = {
    Sort.ISSUED: SortKey("c.date_issued", "timestamptz", nullable=False),
    Sort.EXPIRES: SortKey("c.date_expired", "timestamptz", nullable=False),
    Sort.PRICE: SortKey("c.price", "numeric"),
    Sort.VALUE_RATIO: SortKey("c.value_ratio", "float8"),
    Sort.VOLUME: SortKey("c.volume", "float8"),
    Sort.COLLATERAL: SortKey("c.collateral", "numeric", often_zero=True),
    Sort.REWARD: SortKey("c.reward", "numeric", often_zero=True),
    Sort.REWARD_PER_M3: SortKey("c.reward_per_m3", "float8"),
    Sort.DAYS_TO_COMPLETE: SortKey("c.days_to_complete", "int", often_zero=True),
    Sort.RUNS: SortKey("c.runs", "int"),
}
WITH_VALUE, ZERO, WITHOUT = range(3)


def parts_of(query: ContractQuery) -> list[Part]:
    """The parts of the list that `query` asks for, from its beginning to its end."""
    key = KEYS[query.sorted_by]
    with_value = Part(WITH_VALUE, _has_value(key), key.column, key.kind)
    least = getattr(query, f"{query.sorted_by}_min", None)
    zero = [Part(ZERO, f"{key.column} = 0")] if key.often_zero and not least else []
    without = [Part(WITHOUT, f"{key.column} IS NULL")] if key.nullable and not _is_bounded(query) else []
    return [*([with_value, *zero] if query.descending else [*zero, with_value]), *without]


def stretches(
    parts: Sequence[Part], position: Position | None, arguments: Arguments, *, descending: bool
) -> Iterator[Stretch]:
    """What is to be read from `position` on, in this order; backwards from behind, each part from its end."""
    backwards = position is not None and position.backwards
    direction, beyond = ("DESC", "<") if descending != backwards else ("ASC", ">")
    ordered = list(reversed(parts)) if backwards else list(parts)
    begun = position is None
    for part in ordered:
        order = f"{part.key} {direction}, c.contract_id {direction}" if part.key else f"c.contract_id {direction}"
        if begun:
            yield Stretch(part, part.condition, order)
        elif position is not None and part.number == position.part:
            begun = True
            yield Stretch(part, f"{part.condition} AND {_behind(part, position, beyond, arguments)}", order)


def _behind(part: Part, position: Position, beyond: str, arguments: Arguments) -> str:
    tie = f"{arguments.place(position.tie)}::bigint"
    if part.key is None:
        return f"c.contract_id {beyond} {tie}"
    return f"({part.key}, c.contract_id) {beyond} ({arguments.place(position.key)}::{part.kind}, {tie})"


def _has_value(key: SortKey) -> str:
    if key.often_zero:
        return f"{key.column} > 0"
    return f"{key.column} IS NOT NULL" if key.nullable else "true"


def _is_bounded(query: ContractQuery) -> bool:
    """Whether a bound on what is sorted by leaves none without a value.

    A bound on runs is one on those of any item; the list is sorted by those of the only one.
    """
    if query.sorted_by is Sort.RUNS:
        return False
    return any(getattr(query, f"{query.sorted_by}_{end}", None) is not None for end in ("min", "max"))
