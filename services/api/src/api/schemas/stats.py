from pydantic import Field

from api.schemas.base import Instant, Shown


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


class RegionCounts(Shown):
    """What is known of a region that was read, or that a schedule will have read."""

    region_id: int
    name: str | None
    live: int
    as_of: Instant | None = Field(description="When its list was last read; null: not yet")
    generation: Instant | None = Field(description="Last-Modified of that list upstream")
    complete: bool
    fresh_until: Instant | None = Field(description="Upstream has nothing newer before this instant")


class Stats(Shown):
    """The market and the machinery in numbers."""

    as_of: Instant
    contracts: ContractCounts
    items: ItemCounts
    regions: list[RegionCounts]
    outbox: dict[str, int] = Field(description="Messages not yet on the wire, by service")
    runs: dict[str, int] = Field(description="Runs, by state")
