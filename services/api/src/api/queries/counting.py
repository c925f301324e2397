"""How many contracts a list holds: exactly where that is quick, else by a sample."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from api.queries import filters, offered, price_ranges, rolls
from api.queries.arguments import Arguments
from api.queries.live_counts import OF_CONTRACT_TYPES
from api.queries.reach import FEWEST_WALKED, LIKELY, MOST_WALKED, NO_OUTLOOK, Outlook, Reach, of_walk
from api.queries.samples import ONE_OF, SAMPLED_INSIDE, Counted, Sample, sampled
from api.queries.search import Search
from api.schemas.contract_filters import ContractFilters, State
from api.schemas.contracts import ContractQuery, Count, Sort

QUICK, QUICK_IF_SEEN = 1_500.0, 500.0
"""Of the planner's cost units, chosen from plans and not from a clock: what costs more is estimated. Where all is seen
in an index, three times as many contracts cost as much."""
MOST_EXCLUDED = 1_000
"""So many are counted of what is excluded; then it is at least that."""
MOST_TOLD = 1_000
"""If words find more contracts than this, not all of them are looked at for an estimate."""
MANY = 64
"""Of a sample's: a list of so many is not counted exactly, for that would not be quick."""
NEAR_PART, FAR_PART = 0.02, 0.004
"""If that part of a sample is in a list, a page of it is found among the next few thousand contracts; if less than that
other one is, a page is not to be found by trying one after the other."""
FEW = 2_000
"""Of an exact count: so many contracts are all looked up for a page."""
NARROW = ("type_id", "group_id", "system_id", "station_id", "issuer_id", "issuer_corporation_id", "attribute")
"""Filters that leave little, mostly, and have an index."""

BY_TYPE = """
/* counting.by_type */
SELECT c.type, count(*) AS n FROM contracts c WHERE {where} AND {anew} GROUP BY c.type
"""
LIMITED = f"LIMIT {MOST_EXCLUDED} + 1"
EXCLUDED = f"""
/* counting.excluded */
SELECT count(*) FROM (SELECT FROM contracts c WHERE {{where}} AND {{anew}} {LIMITED}) AS counted
"""  # noqa: S608 - constants


_TOTAL_COST = re.compile(r"cost=[0-9.]+\.\.([0-9.]+)")


async def outlook(connection: Any, query: ContractQuery, count: Count, offering: Sequence[int] | None) -> Outlook:
    """What is to be expected of a list of live contracts, by a sample where many are likely, else by the planner.

    Where it is soon counted exactly, or whoever asks wants it to be, it is told by that.
    """
    if query.wanted_state is not State.LIVE or query.q is not None or _is_plain(query):
        return NO_OUTLOOK
    lifted = query.model_copy(update={"contract_type": []})
    if price_ranges.is_all(lifted):
        priced = await price_ranges.inside(connection, lifted)
        if priced.found <= FEW:
            return Outlook(Reach.FEW, sample=priced, counted=priced.counted)
        expected = await _outlook(connection, query, lifted, priced, offering)
        return replace(expected, counted=priced.counted)
    if count is Count.EXACT or _are_told_apart(query):
        counted = await _planned(connection, lifted, None, count, NO_OUTLOOK, offering)
        few = counted.total(query.contract_type) <= FEW
        return Outlook(Reach.FEW if few else Reach.NEAR, counted=counted)
    sample = await sampled(connection, lifted, None, offering) if _is_wide(query, None) else None
    return await _outlook(connection, query, lifted, sample, offering)


async def _outlook(
    connection: Any, query: ContractQuery, lifted: ContractQuery, sample: Sample | None, offering: Sequence[int] | None
) -> Outlook:
    """By the planner, and by a sample if there is one; `lifted` is the same of any type of contract."""
    is_walk = query.sorted_by is Sort.ISSUED and not query.attributes
    if sample is not None and sample.part(query.contract_type) >= NEAR_PART:
        likely = LIKELY * (query.most + 1) * sample.between(query.contract_type)
        return Outlook(Reach.NEAR, walked=max(FEWEST_WALKED, int(likely)) if is_walk else 0, sample=sample)
    arguments = Arguments()
    cost = await _cost(connection, _by_type(lifted, arguments, None, offering), arguments)
    # What is counted quickly in an index alone may be long to look up.
    found = sample.part(query.contract_type) * sample.among if sample is not None else 0.0
    if cost <= _quick(lifted) and not (is_walk and found > FEW):
        return Outlook(Reach.FEW, sample=sample, cost=cost)
    sample = sample or await sampled(connection, lifted, None, offering)
    if is_walk:
        found = sample.part(query.contract_type) * sample.among
        looking_up = found if cost <= _quick(lifted) else await _cost_of_looking_up(connection, query, offering, cost)
        looking_up = max(looking_up, found)  # whatever the planner thinks, so many are read at least
        return replace(of_walk(query, sample, looking_up), cost=cost)
    # Those that offer something rare stand in an index of their own, in which they are less far between.
    is_far = sample.part(query.contract_type) < FAR_PART and not (query.is_bpc or query.attributes)
    walked = min(max(FEWEST_WALKED, int(cost)), MOST_WALKED)
    return Outlook(Reach.FEW if is_far else Reach.DOUBTFUL, walked=walked, sample=sample, cost=cost)


def _are_told_apart(query: ContractQuery) -> bool:
    """Whether all there can be stand in an index that is empty, by the rules of today: copies have no value.

    The planner takes what is asked for as independent, and expects thousands.
    """
    return bool(query.is_bpc) and not (query.value_ratio_min is None and query.value_ratio_max is None)


async def counts(
    connection: Any,
    query: ContractFilters,
    search: Search | None,
    count: Count,
    whole: Mapping[str, int] | None,
    outlook: Outlook = NO_OUTLOOK,
    offering: Sequence[int] | None = None,
) -> str:
    """The counts of the list as JSON text. `whole`: all its contracts by type, where they are known already."""
    if count is Count.NONE:
        return "null"
    if whole is not None and not query.contract_type:
        return _told(Counted(whole, exact=True), sum(whole.values()), exact=True)
    if _is_plain(query):
        kept = await _kept(connection, query)
        return _told(kept, kept.total(query.contract_type), exact=True)
    lifted = query.model_copy(update={"contract_type": []})
    by_type = outlook.counted or await _counted(connection, lifted, search, count, outlook, offering)
    if whole is not None:
        return _told(by_type, sum(whole.values()), exact=True)
    if not query.contract_type or by_type.exact or by_type.total(query.contract_type) >= MANY * ONE_OF:
        return _told(by_type, by_type.total(query.contract_type), exact=by_type.exact)
    asked = await _counted(connection, query, search, count, NO_OUTLOOK, offering)
    return _told(by_type, asked.total(), exact=asked.exact)


async def excluded(
    connection: Any,
    query: ContractFilters,
    search: Search | None,
    count: Count,
    unread: int,
    outlook: Outlook = NO_OUTLOOK,
) -> str:
    """What the list lacks because it is unknown, as JSON text. `unread`: live contracts whose items are, anywhere."""
    told = []
    for reason in filters.reasons(query):
        none_unread = reason == "items" and unread == 0 and query.wanted_state is State.LIVE
        number = 0 if none_unread else await _excluded(connection, query, search, count, reason, outlook)
        told.append(
            {
                "because": reason,
                "contracts": None if number is None else min(number, MOST_EXCLUDED),
                "contracts_is": (
                    "not counted" if number is None else "exact" if number <= MOST_EXCLUDED else "at least"
                ),
            }
        )
    return orjson.dumps(told).decode()


async def _excluded(
    connection: Any, query: ContractFilters, search: Search | None, count: Count, reason: str, outlook: Outlook
) -> int | None:
    """So many, one more than `MOST_EXCLUDED` at most; None where that would take too long.

    Where filters leave little, the planner is not believed that so many are soon found; and what offers something is
    looked up whole before the first is seen.
    """
    if count is Count.NONE:
        return None
    is_of_rolls = reason == "rolls" and query.wanted_state is State.LIVE
    lacking = await rolls.unread(connection) if is_of_rolls else None
    if lacking == []:
        return 0
    arguments = Arguments()
    where = filters.excluded(query, reason, arguments, search, lacking)
    anew = arguments.planned_anew()
    statement, used = arguments.used_in(EXCLUDED.format(where=where, anew=anew))
    is_walk = outlook.reach is Reach.NEAR and offered.of_a_kind(query, Arguments()) is None
    asked = statement if is_walk else statement.replace(LIMITED, "")
    if count is Count.ESTIMATED and await _cost(connection, asked, used) > QUICK:
        return None
    number: int = await connection.fetchval(statement, *used)
    return number


def _is_plain(query: ContractFilters) -> bool:
    """Whether it asks for what is counted as it is written: whatever is live, everywhere or in some regions."""
    return query.wanted_state is State.LIVE and query.uses_only(("region_id", "contract_type"))


async def _kept(connection: Any, query: ContractFilters) -> Counted:
    rows = await connection.fetch(OF_CONTRACT_TYPES, query.region_id)
    return Counted({row["type"]: row["n"] for row in rows}, exact=True)


async def _counted(
    connection: Any,
    query: ContractFilters,
    search: Search | None,
    count: Count,
    outlook: Outlook,
    offering: Sequence[int] | None,
) -> Counted:
    """By a sample first where many are likely: then the planner, which takes as long, need not be asked."""
    sample = outlook.sample
    if sample is None and count is Count.ESTIMATED and query.wanted_state is State.LIVE and _is_wide(query, search):
        sample = await sampled(connection, query, search, offering)
    if sample is not None and count is Count.ESTIMATED and (sample.found >= MANY or query.q is not None):
        return sample.counted
    if count is Count.ESTIMATED and search is not None and len(search.anywhere.ids or ()) > MOST_TOLD:
        return await _sampled_of_search(connection, query, search)
    return await _planned(connection, query, search, count, replace(outlook, sample=sample), offering)


async def _planned(
    connection: Any,
    query: ContractFilters,
    search: Search | None,
    count: Count,
    outlook: Outlook,
    offering: Sequence[int] | None = None,
) -> Counted:
    arguments = Arguments()
    statement = _by_type(query, arguments, search, offering)
    if count is Count.ESTIMATED:
        cost = await _cost(connection, statement, arguments) if outlook.cost is None else outlook.cost
        if cost > _quick(query):
            return (outlook.sample or await sampled(connection, query, search, offering)).counted
    elif (other := price_ranges.all_but(query)) and await _cost(connection, *other) < await _cost(
        connection, statement, arguments
    ):
        statement, arguments = other
    rows = await connection.fetch(statement, *arguments)
    return Counted({row["type"]: row["n"] for row in rows}, exact=True)


def _quick(query: ContractFilters) -> float:
    if query.q is not None:
        return QUICK
    return QUICK_IF_SEEN if filters.is_seen_in_order(filters.where(query, Arguments())) else QUICK


def _by_type(
    query: ContractFilters, arguments: Arguments, search: Search | None, offering: Sequence[int] | None
) -> str:
    where = filters.where(query, arguments, search, offering, looked_up=True)
    return BY_TYPE.format(where=where, anew=arguments.planned_anew())


async def _sampled_of_search(connection: Any, query: ContractFilters, search: Search) -> Counted:
    """Of what the words find, every so manieth contract is looked at."""
    ids = search.anywhere.ids or ()
    some = ids[:: -(-len(ids) // SAMPLED_INSIDE)]
    part = replace(search, anywhere=replace(search.anywhere, ids=some))
    counted = await _planned(connection, query, part, Count.EXACT, NO_OUTLOOK)
    each = len(ids) / len(some)
    return Counted({name: round(n * each) for name, n in counted.by_type.items()}, exact=False)


def _is_wide(query: ContractFilters, search: Search | None) -> bool:
    """Whether it names nothing that most contracts have nothing to do with; words may be those of many."""
    if search is not None and search.anywhere.ids is not None:
        return False
    return not any(getattr(query, name) for name in NARROW)


async def _cost_of_looking_up(
    connection: Any, query: ContractFilters, offering: Sequence[int] | None, cost: float
) -> float:
    """What looking up all costs, but for a look at the items of each, of which the planner expects far too many.

    `cost` is that of all types of contract, items included.
    """
    arguments = Arguments()
    without = filters.where(query, arguments, None, offering, looked_up=True, with_items=False)
    if not query.contract_type and without == filters.where(query, Arguments(), None, offering, looked_up=True):
        return cost
    statement, used = arguments.used_in(BY_TYPE.format(where=without, anew=arguments.planned_anew()))
    return await _cost(connection, statement, used)


async def _cost(connection: Any, statement: str, arguments: Sequence[object]) -> float:
    """What the planner thinks that the statement costs, in its own units."""
    plan: str = await connection.fetchval(f"EXPLAIN {statement}", *arguments)
    total = _TOTAL_COST.search(plan)
    assert total is not None
    return float(total[1])


def _told(by_type: Counted, total: int, *, exact: bool) -> str:
    return orjson.dumps(
        {
            "total": total,
            "total_is": "exact" if exact else "estimated",
            "by_type": dict(sorted(by_type.by_type.items())),
            "by_type_is": "exact" if by_type.exact else "estimated",
        }
    ).decode()
