"""The order of a list as SQL: what has no value last both ways, and the contract's id to break ties.

A list is read in parts, one after the other, each in the order of one index: first the contracts that have a value,
then those that have none. So a page costs the same at any depth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.cursors import Position
from api.queries.arguments import Arguments
from api.queries.search import Search, Tier
from api.schemas.contracts import ContractQuery, Sort


@dataclass(frozen=True, slots=True)
class Part:
    """Contracts that stand together in a list, by `key`, or where that is None by their ids only."""

    number: int
    condition: str
    key: str | None = None
    kind: str = "bigint"
    tier: Tier | None = None
    """Which of a search's it is, with a condition of its own."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part, or what is left of it, as it is to be read."""

    part: Part
    condition: str
    direction: str

    @property
    def order(self) -> str:
        """Of the part's contracts, as they stand in the table."""
        by_id = f"c.contract_id {self.direction}"
        return f"{self.part.key} {self.direction}, {by_id}" if self.part.key else by_id

    @property
    def order_of_found(self) -> str:
        """Of those that were found, by their `key`."""
        by_id = f"contract_id {self.direction}"
        return f"key {self.direction}, {by_id}" if self.part.key else by_id


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
TIERS = 8
"""More than a search has."""


def parts_of(query: ContractQuery, search: Search | None) -> list[Part]:
    """The parts of the list that `query` asks for, from its beginning to its end, and ascending by number."""
    if query.sorted_by is Sort.RELEVANCE:
        assert search is not None
        return _tiers(search, descending=query.descending)
    key = KEYS[query.sorted_by]
    with_value = (_has_value(key), key.column)
    zero = (f"{key.column} = 0", None)
    ordered = [with_value, zero] if query.descending else [zero, with_value]
    layout = [*(ordered if key.often_zero else [with_value]), (f"{key.column} IS NULL", None)]
    impossible = _impossible(query, key)
    return [
        Part(number, condition, column, key.kind)
        for number, (condition, column) in enumerate(layout)
        if condition not in impossible
    ]


def _tiers(search: Search, *, descending: bool) -> list[Part]:
    """The most relevant contracts first, or last; the newest of those that are equally relevant likewise."""
    issued = KEYS[Sort.ISSUED]
    tiers = [
        Part(TIERS - tier.number if descending else tier.number, "true", issued.column, issued.kind, tier)
        for tier in search.tiers
    ]
    return sorted(tiers, key=lambda part: part.number)


def stretches(
    parts: Sequence[Part], position: Position | None, arguments: Arguments, *, descending: bool
) -> Iterator[Stretch]:
    """What is to be read from `position` on, in this order; backwards from behind, each part from its end."""
    backwards = position is not None and position.backwards
    direction, beyond = ("DESC", "<") if descending != backwards else ("ASC", ">")
    for part in reversed(parts) if backwards else parts:
        if position is None or (part.number < position.part if backwards else part.number > position.part):
            yield Stretch(part, part.condition, direction)
        elif part.number == position.part:
            yield Stretch(part, f"{part.condition} AND {_behind(part, position, beyond, arguments)}", direction)


def _behind(part: Part, position: Position, beyond: str, arguments: Arguments) -> str:
    tie = f"{arguments.place(position.tie)}::bigint"
    if part.key is None:
        return f"c.contract_id {beyond} {tie}"
    return f"({part.key}, c.contract_id) {beyond} ({arguments.place(position.key)}::{part.kind}, {tie})"


def _has_value(key: SortKey) -> str:
    if key.often_zero:
        return f"{key.column} > 0"
    return f"{key.column} IS NOT NULL" if key.nullable else "true"


def _impossible(query: ContractQuery, key: SortKey) -> set[str]:
    """Parts in which a bound on what is sorted by leaves no contract, so that they need not be looked for.

    A bound on runs is one on those of any item; the list is sorted by those of the only one.
    """
    least, most = (getattr(query, f"{query.sorted_by}_{end}", None) for end in ("min", "max"))
    is_bounded = (least is not None or most is not None) and query.sorted_by is not Sort.RUNS
    impossible = set() if key.nullable and not is_bounded else {f"{key.column} IS NULL"}
    return {*impossible, f"{key.column} = 0"} if least else impossible
