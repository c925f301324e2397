"""The filters of a list as SQL, for whoever reads contracts: lists, exports, deals."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from api.queries import item_filters as items
from api.queries import offered
from api.queries.arguments import Arguments
from api.queries.conditions import in_range, one_of
from api.queries.overdue import OVERDUE
from api.queries.search import Search
from api.schemas.contract_filters import ITEM_RANGES, RANGES, ContractFilters, State
from common.tables.seen import WALKED

_UNEXPIRED = "c.date_expired > now()"
LIVE = f"c.delisted_at IS NULL AND {_UNEXPIRED}"
GONE = "(c.delisted_at IS NOT NULL OR c.date_expired <= now())"
UNREAD = "c.composition IS NULL AND c.items_state IN ('wanted', 'failed')"
"""Nobody knows yet what it holds. A courier contract holds nothing, and that is known."""
UNVALUED = "c.value_ratio IS NULL AND c.items_state <> 'none' AND c.composition IS NOT NULL"
"""Its items were read, and its price cannot be compared with what they are worth."""
USUAL = "item_exchange"
"""The type of most contracts. The others have an index of their own, and so has what is in no safe place."""
SEEN_IN_ORDER = frozenset({"contract_id", *WALKED})
HOLDS_NOTHING = "courier"
"""The type of contract that has no items, so that nothing is known of them either."""

_STATES = {State.LIVE: [LIVE], State.GONE: [GONE], State.ALL: []}
_CONTRACTS, _LISTED, _DELISTED = "contracts", "c.delisted_at IS NULL", "c.delisted_at IS NOT NULL"
_BRANCHES = {
    State.LIVE: [(_CONTRACTS, LIVE)],
    State.GONE: [(_CONTRACTS, _DELISTED), (OVERDUE, "true")],
    State.ALL: [(_CONTRACTS, _LISTED), (_CONTRACTS, _DELISTED)],
}
"""The same in parts, for each of which there are indexes: from where, and which of them."""
_UNJUDGED_WITH = {"items": ("items", "rolls", "value")}
"""What rests on its items too."""
_COLUMN = re.compile(r"\bc\.(\w+)")
_UNKNOWN = {"system": "c.system_id IS NULL", "items": UNREAD, "value": UNVALUED}


def where(
    filters: ContractFilters,
    arguments: Arguments,
    search: Search | None = None,
    offering: Sequence[int] | None = None,
    *,
    looked_up: bool = False,
    with_items: bool = True,
) -> str:
    """The filters as one condition on `contracts c`; their values are added to `arguments`. Knows nothing of pages.

    `search` is what `filters.q` means (`search.understand`), `offering` who can have what its attributes ask for
    (`rolls.offering`). `looked_up` is for whoever looks all of them up: the index of what is offered finds few others.
    Without items it is what is seen of the contracts themselves, and leaves more of them.
    """
    held = [*_in_any_state(filters, arguments, search), *_among(offering, arguments)]
    if looked_up:
        held = offered.looked_up(filters, held, arguments)
    if not with_items:
        held = [each for each in held if not each.startswith(items.OFFERS)]
    return " AND ".join([*_states(filters, looked_up=looked_up), *held]) or "true"


class Branch(NamedTuple):
    """Some of a list: which contracts of `source`, as `c`."""

    source: str
    condition: str


def branches(
    filters: ContractFilters,
    arguments: Arguments,
    search: Search | None = None,
    offering: Sequence[int] | None = None,
    *,
    looked_up: bool = False,
) -> list[Branch]:
    """The same as `where`, in parts that have no contract in common and for each of which there are indexes."""
    held = [*_in_any_state(filters, arguments, search), *_among(offering, arguments)]
    if looked_up:
        held = offered.looked_up(filters, held, arguments)
    return [
        Branch(source, " AND ".join([*_state(filters, condition, looked_up=looked_up), *held]))
        for source, condition in _BRANCHES[filters.wanted_state]
    ]


def indexed(filters: ContractFilters, arguments: Arguments) -> str:
    """Which of the filters makes a walk in the list's order the shortest; there is an index of that order for it.

    With anything else beside, the planner would rather look at all and sort.
    """
    held = []
    if filters.attributes:
        held = ["c.offers_rolled"]
    elif filters.is_bpc:
        held = ["c.offers_copy"]
    elif filters.ships_only:
        held = ["c.contains_ship"]
    elif filters.security and offered.SAFE not in filters.security:
        held = [f"c.security <> '{offered.SAFE}'"]
    elif filters.contract_type and USUAL not in filters.contract_type:
        held = [f"c.type <> '{USUAL}'"]
    elif len(filters.region_id) == 1:
        held = one_of("c.region_id", filters.region_id, "bigint", arguments)
    return " AND ".join(["c.delisted_at IS NULL", *held])


def columns(*conditions: str) -> str:
    """What these have to see of `contracts c`, to be selected; the id and the type beside it.

    Whoever tries one contract after the other names them: all sixty columns take twice as long, empty ones too.
    """
    return ", ".join(sorted({"contract_id", "type", *_COLUMN.findall(" ".join(conditions))}))


def looks_at_items(condition: str) -> bool:
    """Whether somebody meets `condition` is told by the items of each."""
    return items.OFFERS in condition


def is_seen_in_order(condition: str) -> bool:
    """Whether the index of the order of issue is all that is needed to tell who meets `condition`."""
    return not looks_at_items(condition) and SEEN_IN_ORDER.issuperset(_COLUMN.findall(condition))


def reasons(filters: ContractFilters) -> list[str]:
    """What may be unknown of a contract, so that it is not in the list, whatever the truth is."""
    found = list(_judged(filters, Arguments()))
    return found if "items" in found or not {"rolls", "value"} & set(found) else ["items", *found]


def excluded(
    filters: ContractFilters,
    reason: str,
    arguments: Arguments,
    search: Search | None = None,
    among: Sequence[int] | None = None,
) -> str:
    """The condition of those that are missing for this reason: all that can be judged of them holds.

    They are `among` these, if that is known. Not all of `arguments` are used in it.
    """
    unjudged = _UNJUDGED_WITH.get(reason, (reason,))
    judged = _judged(filters, arguments).items()
    held = [each for name, held in judged if name not in unjudged for each in held]
    unknown = items.rolls_unread(filters, arguments) if reason == "rolls" else _UNKNOWN[reason]
    held = [*_among(among, arguments), *_certain(filters, arguments, search), *held, unknown]
    looked_up = "items" not in unjudged
    if looked_up:
        held = offered.looked_up(filters, held, arguments, unjudged)
    return " AND ".join([*_states(filters, looked_up=looked_up), *held])


def _states(filters: ContractFilters, *, looked_up: bool) -> list[str]:
    return [each for state in _STATES[filters.wanted_state] for each in _state(filters, state, looked_up=looked_up)]


def _state(filters: ContractFilters, state: str, *, looked_up: bool) -> list[str]:
    """The condition of a state; what the index of what is offered calls being listed where it may be of use.

    In both words PostgreSQL may look in two indexes and keep what is in both. Where they are looked up and the index of
    what is offered knows all that has an index, there is no use in another, but PostgreSQL expects some.
    """
    if not state.startswith(_LISTED) or not items.facets(filters):
        return [state]
    surely = f"({_LISTED}) IS TRUE"
    if looked_up and state == LIVE and not filters.issuer_id and filters.price_min is None:
        return [surely, _UNEXPIRED]
    return [state, surely]


def _needs_items(filters: ContractFilters) -> bool:
    """Whether something has to be true of what it holds."""
    asked = ("type_id", "group_id", "category_id", "attribute", "ships_only", "single_item", "want_to_buy", "is_bpc")
    ends = [f"{name}_{end}" for name in (*ITEM_RANGES, "value_ratio") for end in ("min", "max")]
    return any(getattr(filters, name) for name in asked) or any(getattr(filters, name) is not None for name in ends)


def _in_any_state(filters: ContractFilters, arguments: Arguments, search: Search | None) -> Iterable[str]:
    yield from _certain(filters, arguments, search)
    for held in _judged(filters, arguments).values():
        yield from held


def _judged(filters: ContractFilters, arguments: Arguments) -> dict[str, list[str]]:
    """What rests on something that may be unknown, by what that is."""
    judged = {
        "system": _of_place(filters, arguments),
        "items": list(_of_items(filters, arguments)),
        "rolls": list(_of_rolls(filters, arguments)),
        "value": in_range("c.value_ratio", filters, "value_ratio", arguments),
    }
    return {name: held for name, held in judged.items() if held}


def _certain(filters: ContractFilters, arguments: Arguments, search: Search | None) -> Iterable[str]:
    """What can be judged of every contract, but for its state."""
    if filters.q is not None:
        if search is None:
            raise ValueError("q has to be understood first")
        yield search.condition(arguments)
    yield from one_of("c.region_id", filters.region_id, "bigint", arguments)
    yield from one_of("c.start_location_id", filters.station_id, "bigint", arguments)
    yield from one_of("c.type", filters.contract_type, "text", arguments)
    yield from one_of("c.outcome", filters.outcome, "text", arguments)
    yield from one_of("c.issuer_id", filters.issuer_id, "bigint", arguments)
    yield from one_of("c.issuer_corporation_id", filters.issuer_corporation_id, "bigint", arguments)
    for name in RANGES:
        if name != "value_ratio":
            yield from in_range(f"c.{name}", filters, name, arguments)
    if filters.issued_after is not None:
        yield f"c.date_issued > {arguments.place(filters.issued_after)}::timestamptz"
    if filters.expires_before is not None:
        yield f"c.date_expired < {arguments.place(filters.expires_before)}::timestamptz"
    yield from _negated(filters, arguments)


def _negated(filters: ContractFilters, arguments: Arguments) -> Iterable[str]:
    """What is false of all others, those included of which it is unknown: nothing is excluded by it."""
    if filters.ships_only is False:
        yield "c.contains_ship IS NOT TRUE"
    if filters.single_item is False:
        yield "c.composition IS DISTINCT FROM 'single'"
    if filters.want_to_buy is False:
        yield "c.composition IS DISTINCT FROM 'want_to_buy'"
    if filters.is_bpc is False:
        yield f"NOT {items.offers([*items.bounds(filters, arguments), items.IS_COPY])}"


def _of_place(filters: ContractFilters, arguments: Arguments) -> list[str]:
    return [
        *one_of("c.system_id", filters.system_id, "bigint", arguments),
        *one_of("c.security", filters.security, "text", arguments),
    ]


def _of_items(filters: ContractFilters, arguments: Arguments) -> Iterable[str]:
    held: list[str] = []
    if filters.contract_type == [HOLDS_NOTHING] and _needs_items(filters):
        held.append("false")
    if filters.ships_only:
        held.append("c.contains_ship")
    if filters.single_item:
        held.append("c.composition = 'single'")
    if filters.want_to_buy:
        held.append("c.composition = 'want_to_buy'")
    facets = items.facets(filters)
    if len(facets) > 1 or (facets and filters.is_bpc):
        held.append(items.is_a_kind(filters, arguments))
    # Facets hold what is on offer as a whole: they answer one question alone, and narrow down every other.
    held += [f"c.facets && {arguments.place(each)}::int[]" for each in facets]
    # With attributes, the item that has them has to meet all other bounds as well: `_of_rolls` asks that.
    if not filters.attributes:
        research = list(items.research(filters, arguments))
        held += items.most(filters, arguments)
        if filters.is_bpc:
            held.append("c.offers_copy")
        if research or len(facets) > 1:
            held.append(items.offers([*items.kinds(filters, arguments), *research]))
    return held


def _of_rolls(filters: ContractFilters, arguments: Arguments) -> Iterable[str]:
    """That one item with these attributes is within all other bounds as well."""
    if filters.attributes:
        yield "c.offers_rolled"
        yield items.offers(items.bounds(filters, arguments))


def _among(contract_ids: Sequence[int] | None, arguments: Arguments) -> list[str]:
    return [] if contract_ids is None else [f"c.contract_id = ANY({arguments.place(contract_ids)}::bigint[])"]
