"""What many schedules ask for together, kept so that one more is weighed without counting the others again."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from common.slots.feasibility import Balance, Budget, Demand, Share, all_of, balance_of, share_of


@dataclass(frozen=True, slots=True)
class Overdraft:
    """A budget that does not do for one schedule beside the others."""

    balance: Balance
    share: Share

    @property
    def others(self) -> Sequence[Share]:
        return [share for share in self.balance.shares if share is not self.share]


class Load:
    """The demands of schedules, held to `budgets`. Those of one kind, which are alike, are counted as one."""

    def __init__(self, budgets: Sequence[Budget], *, now: datetime) -> None:
        self._budgets = budgets
        self._all = all_of(budgets)
        self._now = now
        self._kind_of: dict[str, Hashable] = {}
        self._members: dict[Hashable, set[str]] = {}
        self._demands: dict[Hashable, Demand] = {}
        self._shares: dict[Hashable, list[Share]] = {}
        self._wanted = [0] * len(self._all)
        self._changed: set[Hashable] = set()

    def tell(self, kind: Hashable, demand: Demand) -> None:
        """Say what a schedule of a kind asks for, or that it is something else now."""
        self._demands[kind] = demand
        self._changed.add(kind)

    def knows(self, kind: Hashable) -> bool:
        """Whether that has been said."""
        return kind in self._demands

    def put(self, schedule_id: str, kind: Hashable) -> None:
        """Count a schedule as one of a kind that is known, and of no other."""
        if self._kind_of.get(schedule_id) != kind:
            self.drop(schedule_id)
            self._kind_of[schedule_id] = kind
            self._members.setdefault(kind, set()).add(schedule_id)
            self._changed.add(kind)

    def drop(self, schedule_id: str) -> None:
        """Count a schedule no more."""
        kind = self._kind_of.pop(schedule_id, None)
        if kind is not None:
            self._members[kind].discard(schedule_id)
            self._changed.add(kind)

    def overdrafts(self, candidate: Demand, *, before: Demand | None = None) -> list[Overdraft]:
        """The budgets that do not do once `candidate` is at work beside the others.

        One of which `candidate` takes no more than `before`, as it was, is not among them: others are to blame for it.
        """
        self._count()
        own = self._kind_of.get(candidate.schedule_id)
        counted = self._shares.get(own, ())
        left = self._of(own, self._members[own] - {candidate.schedule_id}) if own is not None else []
        found = []
        for place, budget in enumerate(self._all):
            share = self._share(candidate, budget)
            taken = 0 if before is None else self._share(before, budget).wanted
            without = self._wanted[place] - _wanted(counted, place) + _wanted(left, place)
            if share.wanted > taken and without + share.wanted > budget.allowed:
                others = [shares[place] for kind, shares in self._shares.items() if kind != own]
                found.append(Overdraft(balance_of(budget, [*others, *left[place : place + 1], share]), share))
        return found

    def _count(self) -> None:
        """Count the kinds of which something has changed."""
        for kind in self._changed:
            before = self._shares.pop(kind, ())
            counted = self._of(kind, self._members.get(kind, set()))
            if counted:
                self._shares[kind] = counted
            for place in range(len(self._all)):
                self._wanted[place] += _wanted(counted, place) - _wanted(before, place)
        self._changed.clear()

    def _of(self, kind: Hashable, members: set[str]) -> list[Share]:
        """What some of a kind ask of each budget; nothing where there are none."""
        if not members:
            return []
        together = replace(self._demands[kind], schedule_id=min(members), alike=len(members))
        return [self._share(together, budget) for budget in self._all]

    def _share(self, demand: Demand, budget: Budget) -> Share:
        return share_of(demand, budget, self._budgets, self._now)


def _wanted(shares: Sequence[Share], place: int) -> int:
    return shares[place].wanted if shares else 0
