"""What schedules ask of upstream, beside what it grants: the same arithmetic that refuses what does not fit."""

from typing import Any

from api.schemas.budget import Budget, BudgetOfSchedule, BudgetReport, ScheduleBudget, Wanted
from common import upstream_costs
from common.slots import Balance, Definition, balances

SHOWN = 100


async def report(connection: Any) -> BudgetReport:
    """All budgets, as of now; wants asyncpg's connection."""
    picture = await upstream_costs.picture(connection)
    found = balances(picture.budgets, picture.demands, now=picture.now)
    return BudgetReport(
        as_of=picture.now, fits=all(each.fits for each in found), items=[_shown(each) for each in found]
    )


async def of_schedule(connection: Any, schedule_id: str, definition: Definition) -> ScheduleBudget:
    """What a schedule takes of each budget, also if it is not at work; wants asyncpg's connection."""
    picture = await upstream_costs.picture(connection, without=schedule_id, beside=definition)
    demand = picture.demand(schedule_id, definition)
    own = balances(picture.budgets, [demand], now=picture.now)
    others = balances(picture.budgets, picture.demands, now=picture.now)
    return ScheduleBudget(
        schedule_id=schedule_id,
        requests_per_run=round(sum(cost.requests for cost in demand.costs if not cost.steadily), 2),
        items=[_of(one, other) for one, other in zip(own, others, strict=True) if one.shares],
    )


def _of(own: Balance, others: Balance) -> BudgetOfSchedule:
    (share,) = own.shares
    return BudgetOfSchedule(
        group=own.budget.group,
        unit=own.budget.unit,
        window_seconds=own.budget.window_seconds,
        allowed=own.budget.allowed,
        slots=share.slots,
        requests=round(share.requests, 2),
        wanted=share.wanted,
        wanted_by_others=others.wanted,
    )


def _shown(balance: Balance) -> Budget:
    budget = balance.budget
    return Budget(
        group=budget.group,
        unit=budget.unit,
        window_seconds=budget.window_seconds,
        allowance=budget.allowance,
        allowed=budget.allowed,
        wanted=balance.wanted,
        fits=balance.fits,
        schedules=[
            Wanted(
                schedule_id=share.schedule_id,
                alike=share.alike,
                slots=share.slots,
                requests=round(share.requests, 2),
                wanted=share.wanted,
            )
            for share in balance.shares[:SHOWN]
        ],
    )
