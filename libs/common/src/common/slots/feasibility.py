"""Whether schedules fit what upstream grants: what they ask for in any window, held to what a window allows.

Counted is what every slot asks for. Whether upstream will have something newer is not known beforehand, and a schedule
that relies on being skipped asks too often.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from math import ceil
from zoneinfo import ZoneInfo

from common.slots.costs import Cost
from common.slots.cron import Cron
from common.slots.definition import Definition

TOKENS_PER_ANSWER, TOKENS_PER_ERROR = 2, 5
"""What upstream takes for them (ESI docs: rate-limiting). That nothing is new takes one, and is not known before."""
_SAMPLE = 150
"""Slots of a cron that are looked at for its densest window: days of those that come at some hours only."""
_MOST = 2_000


@dataclass(frozen=True, slots=True)
class Budget:
    """What upstream grants within any window: tokens for `routes`, or errors. `reserved` is not to be planned with."""

    group: str
    window_seconds: int
    allowance: int
    reserved: float = 0.1
    routes: frozenset[str] = frozenset()

    @property
    def unit(self) -> str:
        """What it is counted in."""
        return "errors" if self is ERRORS else "tokens"

    @property
    def allowed(self) -> int:
        """What may be planned: the governor leaves the rest unspent, for what nobody plans."""
        return int(self.allowance * (1 - self.reserved))


ERRORS = Budget("errors", 60, 100, reserved=0.3)
"""Upstream answers nobody any more when they are spent (ESI docs: the error limit)."""
MARKET_ORDER = Budget("market-order", 900, 12_000, routes=frozenset({"/markets/*/orders"}))
UNGROUPED = Budget("ungrouped", 900, 12_000)
"""Routes without a bucket are planned as if they shared one, as large as the largest that upstream gives."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a schedule asks for, or several that are `alike`.

    `lifetime_seconds`: for how long upstream's answer is known to stand, which is when one that follows it fires next.
    """

    schedule_id: str
    definition: Definition
    costs: Sequence[Cost]
    alike: int = 1
    lifetime_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What a demand takes of a budget in its densest window; `slots` of each of those alike, `requests` of all."""

    schedule_id: str
    alike: int
    slots: int
    requests: float
    wanted: int


@dataclass(frozen=True, slots=True)
class Balance:
    """What is wanted of a budget, and by whom, the greatest share first."""

    budget: Budget
    wanted: int
    shares: Sequence[Share]

    @property
    def fits(self) -> bool:
        return self.wanted <= self.budget.allowed


def balances(budgets: Sequence[Budget], demands: Iterable[Demand], *, now: datetime) -> list[Balance]:
    """What is wanted of each of `budgets`, and of those that all else falls under."""
    demands = list(demands)
    return [
        balance_of(budget, [share_of(each, budget, budgets, now) for each in demands]) for budget in all_of(budgets)
    ]


def all_of(budgets: Sequence[Budget]) -> list[Budget]:
    """Beside `budgets` those that all else falls under."""
    return [*budgets, UNGROUPED, ERRORS]


def densest(definition: Definition, seconds: int, *, lifetime_seconds: float | None = None, now: datetime) -> int:
    """The most slots of a definition without faults that are due within any `seconds`; with jitter, at the most.

    Of a cron its next slots are looked at; of what follows upstream only its usual pace is known.
    """
    width = seconds + definition.jitter_seconds
    if definition.kind == "once":
        return 1
    if definition.kind == "cron":
        assert definition.cron is not None
        assert definition.zone is not None
        return _densest_of_cron(definition.cron, definition.zone, width, now.astimezone(UTC).date())
    assert definition.every_seconds is not None
    period: float = definition.every_seconds
    if definition.kind == "upstream":
        period = min(max(lifetime_seconds or period, definition.min_seconds or 1), definition.max_seconds or period)
    return ceil(width / period)


def balance_of(budget: Budget, shares: Sequence[Share]) -> Balance:
    """What shares of a budget come to."""
    taking = sorted((share for share in shares if share.wanted), key=lambda share: (-share.wanted, share.schedule_id))
    return Balance(budget, sum(share.wanted for share in taking), taking)


def share_of(demand: Demand, budget: Budget, budgets: Sequence[Budget], now: datetime) -> Share:
    """What a demand takes of one of `budgets`, or of what all else falls under, in its densest window."""
    costs = [cost for cost in demand.costs if _counts(cost, budget, budgets)]
    if not costs:
        return Share(demand.schedule_id, demand.alike, 0, 0.0, 0)
    window = budget.window_seconds
    slots = densest(demand.definition, window, lifetime_seconds=demand.lifetime_seconds, now=now)
    requests = wanted = 0.0
    for cost in costs:
        times = demand.alike * (window if cost.steadily else slots)
        requests += times * cost.requests
        wanted += times * (cost.errors if budget is ERRORS else _tokens(cost))
    return Share(demand.schedule_id, demand.alike, slots, requests, ceil(wanted))


def _counts(cost: Cost, budget: Budget, budgets: Sequence[Budget]) -> bool:
    return cost.errors > 0 if budget is ERRORS else _budget_of(cost.route, budgets) is budget


def _tokens(cost: Cost) -> float:
    return (cost.requests - cost.errors) * TOKENS_PER_ANSWER + cost.errors * TOKENS_PER_ERROR


def _budget_of(route: str, budgets: Sequence[Budget]) -> Budget:
    """The budget that counts a route: the last one that names it, as the newest knowledge stands last."""
    return next((each for each in reversed(budgets) if route in each.routes), UNGROUPED)


@lru_cache(maxsize=10_000)
def _densest_of_cron(expression: str, zone: str, seconds: int, day: date) -> int:
    begin = datetime.combine(day, datetime.min.time(), UTC)
    cron = Cron(expression, ZoneInfo(zone))
    slots = cron.between(begin, begin + timedelta(days=800), at_most=_SAMPLE)
    if len(slots) == _SAMPLE and slots[-1] - slots[0] < timedelta(seconds=seconds):
        slots = cron.between(begin, begin + timedelta(days=800), at_most=_MOST)
    if len(slots) == _MOST and slots[-1] - slots[0] < timedelta(seconds=seconds):
        shortest = min(later - earlier for earlier, later in pairwise(slots))
        return ceil(timedelta(seconds=seconds) / shortest)
    most = first = 0
    for last, slot in enumerate(slots):
        while slot - slots[first] >= timedelta(seconds=seconds):
            first += 1
        most = max(most, last - first + 1)
    return most
