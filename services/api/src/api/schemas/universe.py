from pydantic import Field

from api.schemas.base import CubicMetres, Instant, Shown


class RegionCoverage(Shown):
    """How far a region's list is known."""

    as_of: Instant = Field(description="When the list was last read")
    generation: Instant = Field(description="Last-Modified of that list upstream")
    complete: bool
    fresh_until: Instant = Field(description="Upstream has nothing newer before this instant")


class Region(Shown):
    """A region of New Eden."""

    region_id: int
    name: str
    coverage: RegionCoverage | None = Field(description="Null for a region that was never read")


class Regions(Shown):
    """All regions of New Eden."""

    items: list[Region]


class TypeGroup(Shown):
    """The group of a type."""

    group_id: int
    name: str | None


class TypeCategory(Shown):
    """The category of a group."""

    category_id: int
    name: str | None


class ItemType(Shown):
    """An item type."""

    type_id: int
    name: str
    group: TypeGroup
    category: TypeCategory | None
    volume: CubicMetres | None = Field(description="m³, assembled")
    packaged_volume: CubicMetres | None = Field(description="m³; null where it is the same")
    portion_size: int | None
    market_group_id: int | None
    meta_group_id: int | None
