"""Conditions on a column, with their values added to the arguments of a statement."""

from collections.abc import Mapping, Sequence

from api.queries.arguments import Arguments
from api.schemas.contract_filters import ContractFilters

_NUMERIC, _DOUBLE, _INT = "numeric", "float8", "int"
_KINDS = {
    "price": _NUMERIC,
    "buyout": _NUMERIC,
    "collateral": _NUMERIC,
    "reward": _NUMERIC,
    "volume": _DOUBLE,
    "reward_per_m3": _DOUBLE,
    "days_to_complete": _INT,
    "value_ratio": _DOUBLE,
}


def one_of(column: str, values: Sequence[object], kind: str, arguments: Arguments) -> list[str]:
    """That it is one of `values`; nothing if there are none."""
    if not values:
        return []
    if len(values) == 1:
        # Equality, not ANY: an index on it then gives the order of what follows, too.
        return [f"{column} = {arguments.place(values[0])}::{kind}"]
    return [f"{column} = ANY({arguments.place(list(values))}::{kind}[])"]


def in_range(column: str, filters: ContractFilters, name: str, arguments: Arguments) -> list[str]:
    """That it is within `{name}_min` and `{name}_max` of the filters, both included, where they are given."""
    kind = _KINDS.get(name, _INT)
    ends: Mapping[str, str] = {">=": f"{name}_min", "<=": f"{name}_max"}
    return [
        f"{column} {sign} {arguments.place(end)}::{kind}"
        for sign, end in ((sign, getattr(filters, field_name)) for sign, field_name in ends.items())
        if end is not None
    ]
