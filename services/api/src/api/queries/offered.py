"""What the index of what is offered is asked for: kinds, and what leaves few of them (`common.tables.offered`)."""

from collections.abc import Iterable, Sequence
from datetime import date

from api.queries import item_filters as items
from api.queries.arguments import Arguments
from api.queries.conditions import one_of
from api.schemas.contract_filters import ContractFilters, State
from common.tables.offered import HUNDREDTHS, ISSUED_ON, MILLIONS, THE_FORGE, TRAITS, Ladder, traits

SAFE = "high"
"""The security of most places."""


def of_a_kind(filters: ContractFilters, arguments: Arguments) -> str | None:
    """What the index of what is offered is asked for: types, groups or categories, and what it knows beside them.

    None if it asks for none. Such contracts are found by day (`issued_on`), too.
    """
    facets = items.facets(filters)
    if not facets:
        return None
    steps = [f"c.{ladder.column} <= {ladder.bound(step)}" for ladder, step in _steps(filters)]
    few = [
        *one_of("c.region_id", filters.region_id if THE_FORGE not in filters.region_id else [], "bigint", arguments),
        *one_of("c.system_id", filters.system_id, "bigint", arguments),
        *one_of("c.start_location_id", filters.station_id, "bigint", arguments),
        *one_of("c.issuer_corporation_id", filters.issuer_corporation_id, "bigint", arguments),
        *(["c.contains_ship"] if filters.ships_only else []),
    ]
    return " AND ".join([*steps, *few, *(f"c.facets && {arguments.place(each)}::int[]" for each in facets)])


def issued_on(days: Sequence[date], arguments: Arguments) -> str:
    """That a contract was issued on one of these days, in UTC; the index of what is offered knows."""
    return f"{ISSUED_ON} && {arguments.place(days)}::date[]"


def _steps(filters: ContractFilters) -> Iterable[tuple[Ladder, int]]:
    """On which step of each ladder all are that meet the filters."""
    for ladder, most in ((MILLIONS, filters.price_max), (HUNDREDTHS, filters.value_ratio_max)):
        step = None if most is None else ladder.step(most)
        if step is not None:
            yield ladder, step


def looked_up(
    filters: ContractFilters, held: Sequence[str], arguments: Arguments, unjudged: Sequence[str] = ()
) -> list[str]:
    """The same as `held`, and what the index of what is offered knows of it; nothing of what is `unjudged`.

    COALESCE hides what that index says, too. PostgreSQL takes both for independent otherwise: it expects far fewer than
    there are, and looks for them in one more index that says the same.
    """
    if filters.wanted_state is not State.LIVE or not items.facets(filters):
        return list(held)
    found = []
    told = []
    for ladder, step in _steps(filters):
        if ladder is not HUNDREDTHS or "value" not in unjudged:
            found.append(f"{ladder.sql('c.')} && '{{{step}}}'::int[]")
            told.append(f"c.{ladder.column} <=")
    for column, each in _traits(filters, is_nowhere="system" in unjudged):
        if each:
            found.append(f"{traits('c.')} && {arguments.place(each)}::bigint[]")
            told.append(f"c.{column}")
    return [*found, *(f"coalesce({each}, false)" if each.startswith(tuple(told)) else each for each in held)]


def _traits(filters: ContractFilters, *, is_nowhere: bool) -> Iterable[tuple[str, Sequence[int]]]:
    """What the index has of all that meet the filters, by column; `is_nowhere` if their system has to be unknown."""
    if THE_FORGE not in filters.region_id:
        yield "region_id", filters.region_id
    yield "system_id", [TRAITS["nowhere"]] if is_nowhere else filters.system_id
    yield "start_location_id", filters.station_id
    yield "issuer_corporation_id", filters.issuer_corporation_id
    if not is_nowhere and SAFE not in filters.security:
        yield "security", [TRAITS[each] for each in filters.security]
    if filters.contract_type == ["auction"]:
        yield "type", [TRAITS["auction"]]
    if filters.ships_only:
        yield "contains_ship", [TRAITS["ship"]]
