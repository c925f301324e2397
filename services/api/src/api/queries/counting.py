"""How many contracts a list holds: exactly where that is quick, else by a sample."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

import orjson

from api.queries import filters, price_ranges
from api.queries.arguments import Arguments
from api.queries.live_counts import OF_CONTRACT_TYPES
from api.queries.samples import ONE_OF, SAMPLED_INSIDE, Counted, Sample, sampled
from api.queries.search import Search
from api.schemas.contract_filters import ContractFilters, State
from api.schemas.contracts import ContractQuery, Count, Sort

QUICK = 1_500.0
"""Of the planner's cost units, chosen from plans and not from a clock: what costs more is estimated."""
MOST_EXCLUDED = 1_000
"""So many are counted of what is excluded; then it is at least that."""
MOST_TOLD = 1_000
"""If words find more contracts than this, not all of them are looked at for an estimate."""
MANY = 64
"""Of a sample's: a list of so many is not counted exactly, for that would not be quick."""
NEAR_PART, FAR_PART = 0.02, 0.004
"""If that part of a sample is in a list, a page of it is found among the next few thousand contracts; if less than that
other one is, a page is not to be found by trying one after the other."""
WHOLE_MARKET = 0.06
"""Units for each live contract. Who looks up at that price looks at most of the table (0.08: at all of it), and a walk
in the order in which contracts were issued, as they also stand there, takes no longer even if it goes to its end."""
TRIED_PER_UNIT = 6
"""Contracts that such a walk tries while a unit is spent on looking up: 0.4 µs each, and 1.3 to 5 µs for a unit."""
LIKELY = 4
"""Where many are in a list, so many times the contracts are tried that are needed by the sample: the planner, who takes
filters as independent, would at times look up thousands for a page that is at hand."""
FEW_OF = 3
"""An index of few has less than one in so many of all contracts."""
WHOLE_INDEX, SEEN_PER_UNIT = 0.03, 10
"""The same where all that is asked for is seen in the index of that order: 0.1 µs each."""
FEW = 2_000
"""Of an exact count: so many contracts are all looked up for a page."""
FEWEST_WALKED, MOST_WALKED = 4_000, 40_000
"""Contracts that are tried one after the other where it is doubtful whether a page is among them: as many as looking up
all that may be in the list has units of the planner's, so that either takes about as long."""
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


class Reach(Enum):
    """Where in the order of a list the contracts of a page are to be looked for."""

    NEAR = auto()
    """Whatever comes next is likely one of them, or the planner knows better."""
    FEW = auto()
    """They are so few, or so far between, that all are looked up, and sorted."""
    DAILY = auto()
    """What they offer is what few do: an index finds those of a day, and so on until there are enough."""
    DOUBTFUL = auto()
    """Either may be: filters that contradict each other leave nothing, and the planner thinks that they leave much."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a list before it is read."""

    reach: Reach
    walked: int = 0
    """So many contracts are tried one after the other before all are looked up, or the planner is asked."""
    sample: Sample | None = None
    cost: float | None = None
    """Of counting it, but for the filter by type of contract."""
    counted: Counted | None = None
    """Exactly, but for that filter."""


NO_OUTLOOK: Final = Outlook(Reach.NEAR)


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
    if cost <= QUICK and not (is_walk and found > FEW):
        return Outlook(Reach.FEW, sample=sample, cost=cost)
    sample = sample or await sampled(connection, lifted, None, offering)
    if is_walk:
        found = sample.part(query.contract_type) * sample.among
        looking_up = found if cost <= QUICK else await _cost_of_looking_up(connection, query, offering, cost)
        looking_up = max(looking_up, found)  # whatever the planner thinks, so many are read at least
        return Outlook(*_reach_of_walk(query, sample, looking_up), sample=sample, cost=cost)
    # Those that offer something rare stand in an index of their own, in which they are less far between.
    is_far = sample.part(query.contract_type) < FAR_PART and not (query.is_bpc or query.attributes)
    walked = min(max(FEWEST_WALKED, int(cost)), MOST_WALKED)
    return Outlook(Reach.FEW if is_far else Reach.DOUBTFUL, walked=walked, sample=sample, cost=cost)


def _are_told_apart(query: ContractQuery) -> bool:
    """Whether all there can be stand in an index that is empty, by the rules of today: copies have no value.

    The planner takes what is asked for as independent, and expects thousands.
    """
    return bool(query.is_bpc) and not (query.value_ratio_min is None and query.value_ratio_max is None)


def _reach_of_walk(query: ContractQuery, sample: Sample, looking_up: float) -> tuple[Reach, int]:
    """Of a list in the order in which contracts were issued, and how many to try where that is doubtful."""
    wanted = query.skipped + query.most + 1
    tried = wanted * sample.between(query.contract_type)
    is_seen = filters.is_seen_in_order(filters.where(query, Arguments()))
    whole_walk = (WHOLE_INDEX if is_seen else WHOLE_MARKET) * sample.among
    likely = max(FEWEST_WALKED, int(LIKELY * tried)) if sample.part(query.contract_type) else 0
    may_be_daily = tried > FEWEST_WALKED and not query.skipped and filters.of_a_kind(query, Arguments())
    if may_be_daily and sample.looked_up(query.contract_type, wanted) < min(looking_up, whole_walk):
        return Reach.DAILY, 0
    if looking_up >= whole_walk:
        return Reach.NEAR, likely
    walked = max(FEWEST_WALKED, int(looking_up * (SEEN_PER_UNIT if is_seen else TRIED_PER_UNIT)))
    # Among a few, a walk that finds nothing costs little, and the sample has seen too few of them to tell.
    is_among_few = sample.walked * FEW_OF < sample.sampled
    if is_among_few and not likely:
        walked = min(walked, int(LIKELY * tried))
    return (Reach.DOUBTFUL, walked) if (likely or is_among_few) and tried <= walked else (Reach.FEW, 0)


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

    Where filters leave little, the planner is not believed that so many are soon found.
    """
    if count is Count.NONE:
        return None
    arguments = Arguments()
    where = filters.excluded(query, reason, arguments, search)
    anew = arguments.planned_anew()
    statement, used = arguments.used_in(EXCLUDED.format(where=where, anew=anew))
    asked = statement if outlook.reach is Reach.NEAR else statement.replace(LIMITED, "")
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
        if cost > QUICK:
            return (outlook.sample or await sampled(connection, query, search, offering)).counted
    elif (other := price_ranges.all_but(query)) and await _cost(connection, *other) < await _cost(
        connection, statement, arguments
    ):
        statement, arguments = other
    rows = await connection.fetch(statement, *arguments)
    return Counted({row["type"]: row["n"] for row in rows}, exact=True)


def _by_type(
    query: ContractFilters, arguments: Arguments, search: Search | None, offering: Sequence[int] | None
) -> str:
    where = filters.where(query, arguments, search, offering)
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
    without = filters.where(query, arguments, None, offering, with_items=False)
    if not query.contract_type and without == filters.where(query, Arguments(), None, offering):
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
