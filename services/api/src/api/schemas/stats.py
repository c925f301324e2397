from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from api.schemas.base import Instant, Shown

EXAMPLE: dict[str, Any] = {
    "as_of": "2026-11-22T06:21:06.115283+00:00",
    "contracts": {"live": 7910, "gone": 41, "by_type": {"auction": 82, "courier": 40, "item_exchange": 7788}},
    "items": {"stored": 7866, "wanted": 4, "failed": 0},
    "regions": [
        {
            "region_id": 10000002,
            "name": "The Forge",
            "live": 2969,
            "listed": 2971,
            "as_of": "2026-11-22T06:20:05.45444+00:00",
            "generation": "2026-11-22T06:20:03+00:00",
            "age_seconds": 63.1,
            "complete": True,
            "fresh_until": "2026-11-22T06:50:04.45444+00:00",
            "stale": False,
            "items": {"stored": 2950, "wanted": 4, "failed": 0},
            "last_sweep": {
                "run_id": "01a201e9-d79d-767e-89fa-622ca344175c",
                "swept_at": "2026-11-22T06:20:05.45444+00:00",
                "complete": True,
                "pages": 3,
                "fetched": 2971,
                "listed": 4,
                "changed": 1,
                "unchanged": 2966,
                "rejected": 0,
                "delisted": 7,
            },
            "next_sweep_at": "2026-11-22T06:50:04.45444+00:00",
        }
    ],
    "upstream": {
        "paused_until": None,
        "reason": None,
        "limits": [
            {
                "name": "errors",
                "remaining": 98,
                "allowance": 100,
                "resets_at": "2026-11-22T06:22:00+00:00",
                "paused_until": None,
                "reason": None,
                "observed_at": "2026-11-22T06:21:05.9+00:00",
            }
        ],
    },
    "backlogs": {"items": 4, "bids": 12, "outcomes": 7, "dynamic_items": 0, "names": 3},
    "outbox": {"api": 0, "ingestor": 2, "scheduler": 0},
    "runs": {
        "queued": 0,
        "running": 1,
        "succeeded": 212,
        "partial": 3,
        "failed": 0,
        "cancelled": 0,
        "skipped": 5,
    },
}


class ContractCounts(Shown):
    """How many contracts are known."""

    live: int
    gone: int = Field(description="Delisted or expired")
    by_type: dict[str, int] = Field(description="The live ones, by type")


class ItemCounts(Shown):
    """Of how many contracts the items are read, still to be read, and set aside."""

    stored: int
    wanted: int
    failed: int


class LastSweep(Shown):
    """What the reading of a region's list proved. `fetched = listed + changed + unchanged + rejected`."""

    run_id: UUID
    swept_at: Instant
    complete: bool = Field(description="Every page was of one generation, so that absence means something")
    pages: int
    fetched: int
    listed: int
    changed: int
    unchanged: int
    rejected: int
    delisted: int


class RegionCounts(Shown):
    """What is known of a region that was read, or that a schedule will have read."""

    region_id: int
    name: str | None
    live: int = Field(description="Listed, and not expired")
    listed: int = Field(description="In the newest list, expired ones that linger there among them")
    as_of: Instant | None = Field(description="When its list was last read; null: not yet")
    generation: Instant | None = Field(description="Last-Modified of that list upstream")
    age_seconds: float | None = Field(description="Seconds since that generation")
    complete: bool
    fresh_until: Instant | None = Field(description="Upstream has nothing newer before this instant")
    stale: bool = Field(description="Never read, or that instant has passed by more than two minutes")
    items: ItemCounts
    last_sweep: LastSweep | None = Field(description="Of the newest generation")
    next_sweep_at: Instant | None = Field(description="When its schedule is due; null: it has none, or that is paused")


class UpstreamLimit(Shown):
    """What upstream still grants this address, as all ingestors know it."""

    name: str = Field(description="`errors`, or the group of a token bucket")
    remaining: int | None
    allowance: int | None
    resets_at: Instant | None
    paused_until: Instant | None = Field(description="Nothing is asked before this instant; null: no pause")
    reason: str | None = Field(description="Why it is paused")
    observed_at: Instant


class UpstreamLimits(Shown):
    """What upstream grants; the pause is the longest of all."""

    paused_until: Instant | None
    reason: str | None
    limits: list[UpstreamLimit]


class Backlogs(Shown):
    """What is still to be read upstream."""

    items: int = Field(description="Contracts whose items are wanted")
    bids: int = Field(description="Auctions whose bids are due")
    outcomes: int = Field(description="Contracts that left the list, and nobody knows yet why")
    dynamic_items: int = Field(description="Abyssal items whose attributes are wanted")
    names: int = Field(description="Characters and corporations without a name")


class Stats(Shown):
    """The market and the machinery in numbers."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [EXAMPLE]})

    as_of: Instant
    contracts: ContractCounts
    items: ItemCounts
    regions: list[RegionCounts]
    upstream: UpstreamLimits
    backlogs: Backlogs
    outbox: dict[str, int] = Field(description="Messages not yet on the wire, by service")
    runs: dict[str, int] = Field(description="Runs, by state")
