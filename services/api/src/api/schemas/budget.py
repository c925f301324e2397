from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.base import Instant, Shown


class Wanted(BaseModel):
    """What a schedule asks for in its densest window."""

    schedule_id: str = Field(description="Of several that are alike, the first")
    alike: int = Field(description="How many schedules these are: of one kind, timing and purpose")
    slots: int = Field(description="Of each, at the most")
    requests: float = Field(description="Of all of them together")
    wanted: int = Field(description="What that takes of the budget")


class Budget(Shown):
    """What upstream grants within any window, and what of it the schedules ask for."""

    group: str = Field(description="A token bucket of upstream's; ungrouped: routes that are in none; errors")
    unit: Literal["tokens", "errors"]
    window_seconds: int
    allowance: int = Field(description="What upstream grants within a window")
    allowed: int = Field(description="What of it may be planned")
    wanted: int = Field(description="By all schedules that are at work, if their densest windows meet")
    fits: bool
    schedules: list[Wanted] = Field(description="The hundred that want the most")


class BudgetReport(Shown):
    """Upstream's budgets."""

    as_of: Instant
    fits: bool
    items: list[Budget]


class BudgetOfSchedule(Shown):
    """What one schedule takes of a budget, or would if it were at work."""

    group: str
    unit: Literal["tokens", "errors"]
    window_seconds: int
    allowed: int = Field(description="What may be planned")
    slots: int = Field(description="In the densest window")
    requests: float = Field(description="In it")
    wanted: int = Field(description="What these take")
    wanted_by_others: int


class ScheduleBudget(Shown):
    """What one schedule is expected to ask of upstream."""

    schedule_id: str
    requests_per_run: float = Field(description="Measured once three runs are over, an estimate until then")
    items: list[BudgetOfSchedule]


class Overdrawn(BaseModel):
    """A budget that does not do."""

    group: str
    unit: Literal["tokens", "errors"]
    window_seconds: int
    allowance: int = Field(description="What upstream grants within a window")
    allowed: int = Field(description="What of it may be planned")
    wanted: int = Field(description="By all schedules that would be at work")
    this: Wanted = Field(description="The schedule that is refused")
    others: list[Wanted] = Field(description="The largest of the others")
