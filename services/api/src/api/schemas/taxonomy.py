from typing import Any

from pydantic import ConfigDict, Field

from api.schemas.base import Instant, Shown

EXAMPLE: dict[str, Any] = {
    "as_of": "2026-11-22T06:20:02.802263+00:00",
    "complete": False,
    "pending": 4,
    "unknown": 0,
    "categories": [
        {
            "category_id": 6,
            "name": "Ship",
            "live": 411,
            "types": 203,
            "groups": [{"group_id": 25, "name": "Frigate", "live": 61, "types": 38}],
        }
    ],
}


class GroupOnOffer(Shown):
    """A group of which something is on offer."""

    group_id: int
    name: str
    live: int = Field(description="Live contracts that offer an item of it")
    types: int = Field(description="Types of it that are on offer")


class CategoryOnOffer(Shown):
    """A category of which something is on offer."""

    category_id: int
    name: str
    live: int = Field(description="Live contracts that offer an item of it; one that offers of two groups counts once")
    types: int = Field(description="Types of it that are on offer")
    groups: list[GroupOnOffer] = Field(description="By name")


class Taxonomy(Shown):
    """What live contracts offer."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"examples": [EXAMPLE]})

    as_of: Instant | None = Field(description="The oldest reading of a region's list; null: none was read")
    complete: bool = Field(description="Whether the items of all live contracts are known")
    pending: int = Field(description="Live contracts whose items are still to be read")
    unknown: int = Field(description="Live contracts whose items could not be read and were set aside")
    categories: list[CategoryOnOffer] = Field(description="By name")
