from pydantic import Field

from api.schemas.base import CubicMetres, Instant, Isk, Shown


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
    live: int = Field(description="Live contracts that start in it")
    coverage: RegionCoverage | None = Field(description="Null for a region that was never read")


class Regions(Shown):
    """All regions of New Eden."""

    as_of: Instant | None = Field(description="The oldest reading of a region's list; null: none was read")
    items: list[Region]


class TypeGroup(Shown):
    """The group of a type."""

    group_id: int
    name: str | None


class TypeCategory(Shown):
    """The category of a group."""

    category_id: int
    name: str | None


class TypeMarket(Shown):
    """What one of a type costs at the market."""

    buy: Isk | None = Field(description="At Jita's best buy order; null: nobody bids")
    sell: Isk | None = Field(description="At Jita's best sell order; null: nobody sells")
    orders_as_of: Instant | None = Field(description="When those two last changed")
    average: Isk | None = Field(description="The average of New Eden")
    adjusted: Isk | None = Field(description="What the game reckons by")
    averages_as_of: Instant | None = Field(description="When those two last changed")


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
    live: int = Field(description="Live contracts that offer it")
    prices: TypeMarket | None = Field(
        description="Null: none is known. Copies of blueprints and abyssal items cost something else"
    )
    image: str = Field(description="Its picture at CCP's image server")
