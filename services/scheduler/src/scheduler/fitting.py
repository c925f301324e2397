"""Refusing schedules that would ask for more than upstream grants. Decided here, where one is decided at a time."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from common import upstream_costs
from common.database import asyncpg_connection
from common.logs import get_logger
from common.slots import Definition, Overdraft, Share, asks_upstream, balances, overdrafts
from scheduler.stores.requests import Answer, Request

log = get_logger(__name__)

NAMED = 5
"""Other schedules that a refusal names."""


async def refusal(
    connection: AsyncConnection, request: Request, definition: Definition, *, before: Definition | None = None
) -> Answer | None:
    """Why the schedule cannot be at work beside the others; None if it can, or is forced to.

    One that asks for no more than `before`, as it was at work until now, is never refused.
    """
    if request.body.get("force") or not asks_upstream(definition):
        return None
    picture = await upstream_costs.picture(
        await asyncpg_connection(connection), without=request.schedule_id, beside=definition
    )
    found = overdrafts(
        picture.budgets,
        picture.demand(request.schedule_id, definition),
        picture.demands,
        before=None if before is None else picture.demand(request.schedule_id, before),
        now=picture.now,
    )
    if not found:
        return None
    return Answer(409, _words(found), result={"budgets": [_arithmetic(each) for each in found]})


async def warn(connection: AsyncConnection) -> None:
    """Log which of upstream's budgets the schedules that are at work do not fit, if any."""
    picture = await upstream_costs.picture(await asyncpg_connection(connection))
    for balance in balances(picture.budgets, picture.demands, now=picture.now):
        if not balance.fits:
            log.warning(
                "schedules do not fit what upstream grants",
                group=balance.budget.group,
                window_seconds=balance.budget.window_seconds,
                allowed=balance.budget.allowed,
                wanted=balance.wanted,
                largest=[share.schedule_id for share in balance.shares[:NAMED]],
            )


def _words(found: list[Overdraft]) -> str:
    told = "; ".join(
        f"of {each.balance.budget.group} {each.balance.wanted:,} in {each.balance.budget.window_seconds} s, "
        f"{each.share.wanted:,} of them for this schedule, where {each.balance.budget.allowed:,} may be planned"
        for each in found
    )
    return f"The schedules would ask for more than upstream grants: {told}. force=true makes it so all the same"


def _arithmetic(found: Overdraft) -> dict[str, Any]:
    balance, budget = found.balance, found.balance.budget
    return {
        "group": budget.group,
        "unit": budget.unit,
        "window_seconds": budget.window_seconds,
        "allowance": budget.allowance,
        "allowed": budget.allowed,
        "wanted": balance.wanted,
        "this": _share(found.share),
        "others": [_share(each) for each in found.others[:NAMED]],
    }


def _share(share: Share) -> dict[str, Any]:
    return {
        "schedule_id": share.schedule_id,
        "alike": share.alike,
        "slots": share.slots,
        "requests": round(share.requests, 2),
        "wanted": share.wanted,
    }
