"""The order of a list as SQL: nulls last both ways, and the contract's id to break ties."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from api.cursors import Position
from api.queries.arguments import Arguments
from api.schemas.contracts import ContractQuery, Sort


@dataclass(frozen=True, slots=True)
class SortKey:
    """What is sorted by: an expression on `contracts c`, and the type it is compared as."""

    expression: str
    kind: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the list in one index's order: contracts that have a value, or those that have none."""

    condition: str
    order: str
    key: str


KEYS = {
    Sort.ISSUED: SortKey("c.date_issued", "timestamptz", nullable=False),
    Sort.EXPIRES: SortKey("c.date_expired", "timestamptz", nullable=False),
    Sort.PRICE: SortKey("c.price", "numeric"),
    Sort.VALUE_RATIO: SortKey("c.value_ratio", "float8"),
    Sort.VOLUME: SortKey("c.volume", "float8"),
    Sort.COLLATERAL: SortKey("c.collateral", "numeric"),
    Sort.REWARD: SortKey("c.reward", "numeric"),
    Sort.REWARD_PER_M3: SortKey("c.reward_per_m3", "float8"),
    Sort.DAYS_TO_COMPLETE: SortKey("c.days_to_complete", "int"),
    Sort.RUNS: SortKey("c.runs", "int"),
}


def key_of(query: ContractQuery) -> SortKey:
    """What the list is sorted by. A bound on it leaves none without a value."""
    key = KEYS[query.sorted_by]
    bounds = (getattr(query, f"{query.sorted_by}_{end}", None) for end in ("min", "max"))
    # A blueprint's runs are those of any item; the list is sorted by those of the only one.
    if query.sorted_by is not Sort.RUNS and any(bound is not None for bound in bounds):
        return replace(key, nullable=False)
    return key


def stretches(key: SortKey, position: Position | None, arguments: Arguments, *, descending: bool) -> Iterator[Stretch]:
    """The parts of the list from `position` on, in the order in which they are to be read.

    Backwards that is from behind: first what has no value, each part from its end.
    """
    backwards = position is not None and position.backwards
    direction, beyond = ("DESC", "<") if descending != backwards else ("ASC", ">")
    with_value = Stretch(
        f"{key.expression} IS NOT NULL" if key.nullable else "true",
        f"{key.expression} {direction}, c.contract_id {direction}",
        key.expression,
    )
    without = Stretch(f"{key.expression} IS NULL", f"c.contract_id {direction}", f"NULL::{key.kind}")
    parts = [with_value, without] if key.nullable else [with_value]
    if backwards:
        parts.reverse()
    if position is None:
        yield from parts
        return
    tie = arguments.place(position.tie)
    if position.key is None:
        first, behind = without, f"c.contract_id {beyond} {tie}::bigint"
    else:
        at = arguments.place(position.key)
        first = with_value
        behind = f"({key.expression}, c.contract_id) {beyond} ({at}::{key.kind}, {tie}::bigint)"
    yield replace(first, condition=f"{first.condition} AND {behind}")
    if first is not parts[-1]:
        yield parts[-1]
