"""Refusing schedules that would ask for more than upstream grants. Decided here, where one is decided at a time."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from common import upstream_costs
from common.database import asyncpg_connection
from common.logs import get_logger
from common.slots import EPOCH, Budget, Definition, Load, Overdraft, Share, asks_upstream, balances
from common.upstream_costs import Picture
from scheduler.stores.requests import Answer, Request

log = get_logger(__name__)

NAMED = 5
"""Other schedules that a refusal names."""
LEARNED_FOR = timedelta(minutes=10)
"""What half of thirty runs took changes slowly, and to learn it of ten thousand schedules takes a second."""
OVERLAP = timedelta(seconds=30)
"""What was changed by the clock before we looked may have been committed after."""
BREATH = 200
"""Schedules that are taken in before slots have their turn."""


class Fitting:
    """Weighs schedules against what upstream grants.

    What the others ask for is remembered, and what has changed of it is read before each decision; what their runs cost
    is learned anew every ten minutes.
    """

    def __init__(self) -> None:
        self._load = Load([], now=EPOCH)
        self._budgets: list[Budget] = []
        self._learned = self._as_of = EPOCH
        self._steady: dict[tuple[Any, ...], Definition] = {}

    async def refusal(
        self, connection: AsyncConnection, request: Request, definition: Definition, *, before: Definition | None = None
    ) -> Answer | None:
        """Why the schedule cannot be at work beside the others; None if it can, or is forced to.

        One that asks for no more than `before`, as it was at work until now, is never refused.
        """
        if request.body.get("force") or not asks_upstream(definition):
            return None
        raw = await asyncpg_connection(connection)
        picture = await upstream_costs.alone(raw, definition)
        await self._catch_up(raw, picture)
        found = self._load.overdrafts(
            picture.demand(request.schedule_id, definition),
            before=None if before is None else picture.demand(request.schedule_id, before),
        )
        if not found:
            return None
        return Answer(409, _words(found), result={"budgets": [_arithmetic(each) for each in found]})

    async def _catch_up(self, raw: Any, picture: Picture) -> None:
        since: datetime | None = self._as_of - OVERLAP
        costs = None
        if self._budgets != list(picture.budgets) or picture.now - self._learned > LEARNED_FOR:
            since, costs = None, await upstream_costs.alone(raw, None)
            self._load, self._steady = Load(picture.budgets, now=picture.now), {}
            self._budgets, self._learned = list(picture.budgets), EPOCH  # cut off before its end, it begins anew
        rows, deleted = await upstream_costs.changed(raw, since)
        for schedule_id in deleted:
            self._load.drop(schedule_id)
        for number, row in enumerate(rows):
            await self._take_in(raw, row, costs)
            if number % BREATH == 0:
                await asyncio.sleep(0)
        for kind, definition in self._steady.items():
            self._load.tell(kind, picture.demand("", definition))
        self._as_of = picture.now
        if since is None:
            self._learned = picture.now

    async def _take_in(self, raw: Any, row: Any, costs: Picture | None) -> None:
        kind = upstream_costs.kind_of(row)
        if row["at_work"] and not self._load.knows(kind):
            definition = upstream_costs.definition_of(row)
            if definition is not None:
                known = costs or await upstream_costs.alone(raw, definition)
                self._load.tell(kind, known.demand("", definition))
                if definition.action == "reconcile":
                    self._steady[kind] = definition
        if row["at_work"] and self._load.knows(kind):
            self._load.put(row["schedule_id"], kind)
        else:
            self._load.drop(row["schedule_id"])


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
