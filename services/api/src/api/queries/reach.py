"""Where in the order of a list a page is to be looked for, by what is known of the list before it is read."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from api.queries import filters, offered
from api.queries.arguments import Arguments
from api.queries.samples import Counted, Sample
from api.schemas.contracts import ContractQuery

WHOLE_MARKET = 0.06
"""Units for each live contract. Who looks up at that price looks at most of the table (0.08: at all of it), and a walk
in the order in which contracts were issued, as they also stand there, takes no longer even if it goes to its end."""
TRIED_PER_UNIT, APART_PER_UNIT = 6, 2
"""Contracts that such a walk tries while a unit is spent on looking up: 0.4 µs each, and 1.3 to 5 µs for a unit. The
second of few, that are read: each stands on a page of its own."""
LIKELY = 4
"""Where many are in a list, so many times the contracts are tried that are needed by the sample: the planner, who takes
filters as independent, would at times look up thousands for a page that is at hand."""
FEW_OF = 3
"""An index of few has less than one in so many of all contracts."""
WHOLE_INDEX, SEEN_PER_UNIT = 0.03, 10
"""The same where all that is asked for is seen in the index of that order: 0.25 µs each."""
FEW_AT_ONCE = 1_500
"""Contracts that are as well read at once as day by day: that asks several times, and does not count them."""
ITEMS_PER_CONTRACT = 4
"""Contracts that are read in the time in which the items of one are looked at."""
UNPROMISED = 4
"""Where the sample has none of a list, a search by day has to be expected to read so many times fewer than all: it
reads all in the end if there are none."""
FEWEST_WALKED, MOST_WALKED = 4_000, 40_000
"""Contracts that are tried one after the other where it is doubtful whether a page is among them: as many as looking up
all that may be in the list has units of the planner's, so that either takes about as long."""


class Reach(Enum):
    """Where in the order of a list the contracts of a page are to be looked for."""

    NEAR = auto()
    """Whatever comes next is likely one of them, or the planner knows better."""
    FEW = auto()
    """They are so few, or so far between, that all are looked up, and sorted."""
    DOUBTFUL = auto()
    """Either may be: filters that contradict each other leave nothing, and the planner thinks that they leave much."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a list before it is read."""

    reach: Reach
    walked: int = 0
    """So many contracts are tried one after the other before all are looked up, or the planner is asked."""
    is_daily: bool = False
    """What they offer is what few do: an index finds those of a day, and so on until there are enough."""
    sample: Sample | None = None
    cost: float | None = None
    """Of counting it, but for the filter by type of contract."""
    counted: Counted | None = None
    """Exactly, but for that filter."""


NO_OUTLOOK: Final = Outlook(Reach.NEAR)


def of_walk(query: ContractQuery, sample: Sample, looking_up: float) -> Outlook:
    """Of a list in the order in which contracts were issued; who looks all up spends so many units of the planner's."""
    wanted = query.skipped + query.most + 1
    tried = wanted * sample.between(query.contract_type)
    is_seen = filters.is_seen_in_order(filters.where(query, Arguments()))
    whole_walk = (WHOLE_INDEX if is_seen else WHOLE_MARKET) * sample.among
    likely = max(FEWEST_WALKED, int(LIKELY * tried)) if sample.part(query.contract_type) else 0
    # Among a few, a walk that finds nothing costs little, and the sample has seen too few of them to tell.
    is_among_few = sample.walked * FEW_OF < sample.sampled
    tried_per_unit = SEEN_PER_UNIT if is_seen else TRIED_PER_UNIT
    if is_among_few and not filters.is_seen_in_order(filters.where(query, Arguments(), with_items=False)):
        tried_per_unit = APART_PER_UNIT
    by_day = _read_by_day(query, sample, wanted, min(looking_up, whole_walk))
    if by_day is not None and by_day < tried / tried_per_unit:
        return Outlook(Reach.FEW, is_daily=True, sample=sample)
    if looking_up >= whole_walk:
        return Outlook(Reach.NEAR, likely, sample=sample)
    walked = max(FEWEST_WALKED, int(looking_up * tried_per_unit))
    if is_among_few and not likely:
        walked = min(walked, int(LIKELY * tried))
    is_doubtful = (likely or is_among_few) and tried <= walked
    if not is_doubtful:
        return Outlook(Reach.FEW, sample=sample)
    return Outlook(Reach.DOUBTFUL, walked, is_daily=by_day is not None, sample=sample)


def _read_by_day(query: ContractQuery, sample: Sample, wanted: int, looking_up: float) -> float | None:
    """How many contracts are read until a page is found day by day; None where all are as well looked up at once."""
    if offered.of_a_kind(query, Arguments()) is None or query.skipped:
        return None
    by_day, all_of_them = sample.looked_up(query.contract_type, wanted), looking_up
    if not sample.part(query.contract_type):
        by_day, all_of_them = by_day * UNPROMISED, min(looking_up, sample.all_of_kind)
    if filters.looks_at_items(filters.where(query, Arguments())):
        all_of_them *= ITEMS_PER_CONTRACT
    return by_day if all_of_them > FEW_AT_ONCE and by_day < looking_up else None
