from typing import Literal

from pydantic import Field

from api.schemas.base import CubicMetres, Instant, Isk, Shown
from api.schemas.contract_filters import ContractFilters


class ContractQuery(ContractFilters):
    """Which contracts, and which page of them."""

    limit: int = Field(50, ge=1, le=200, description="Contracts on a page, at most")
    cursor: str | None = Field(
        None, max_length=200, description="`next_cursor` of the page before; the filters stay the same"
    )


class ContractBase(Shown):
    """A contract as it stands in its region's list, and what its items say of it."""

    contract_id: int
    contract_type: str = Field(description="One of ContractType, or a word of ESI's that is newer than this")
    region_id: int
    region_name: str | None
    system_id: int | None = Field(description="Where it starts; null in a player's structure")
    system_name: str | None
    start_location_id: int | None
    start_location_name: str | None = Field(description="Null in a player's structure")
    issuer_id: int
    issuer_name: str | None = Field(description="Null until it was looked up")
    issuer_corporation_id: int
    issuer_corporation_name: str | None = Field(description="Null until it was looked up")
    for_corporation: bool
    price: Isk | None
    buyout: Isk | None
    reward: Isk | None
    collateral: Isk | None
    volume: CubicMetres | None
    title: str | None = Field(description="In the issuer's words")
    label: str | None = Field(description="What it is about, in ours; null until its items were read")
    composition: str | None = Field(description="How its items mix; null until they were read")
    contains_ship: bool | None = Field(description="Whether it offers a ship; null until its items were read")
    is_blueprint_copy: bool | None = Field(description="Of the one blueprint that it offers")
    runs: int | None = Field(description="Of that blueprint")
    material_efficiency: int | None = Field(description="Of that blueprint")
    time_efficiency: int | None = Field(description="Of that blueprint")
    packaged_volume: CubicMetres | None = Field(
        description="m³ of what it offers, as if packaged; null where that is not known of every item"
    )
    value_buy: Isk | None = Field(
        description="What its offer brings at once at Jita's buy orders, at least; ISK. Null where no line has a bid"
    )
    value_sell: Isk | None = Field(
        description="What its offer costs at Jita's sell orders; ISK, of the lines that are priced. Null where none is"
    )
    value_average: Isk | None = Field(description="The same at the averages of New Eden")
    value_lines: int | None = Field(description="Stacks it offers; null until its items were read")
    value_lines_priced: int | None = Field(
        description="Those of them that are in the value. Copies of blueprints and abyssal items never are"
    )
    value_ratio: float | None = Field(
        description="Its price, or an auction's highest bid, per value_sell; null where the two cannot be compared"
    )
    date_issued: Instant
    date_expired: Instant
    items_state: Literal["none", "wanted", "stored", "failed"] = Field(
        description="none: it has none to read; wanted: still to be read; stored; failed: set aside"
    )


class ContractSummary(ContractBase):
    """A contract in a list."""

    items_offered: int | None = Field(description="How many items it offers; null until they were read")
    items_requested: int | None = Field(description="How many items it asks for; null until they were read")


class Coverage(Shown):
    """How far a region's list is known."""

    region_id: int
    name: str | None
    as_of: Instant | None = Field(description="When its list was last read; null: never")
    complete: bool = Field(description="Whether that reading got all of the list")
    items_pending: int = Field(
        description="Live contracts whose items are still to be read, and which filters on items therefore miss"
    )


class ContractPage(Shown):
    """Live contracts, the newest first."""

    items: list[ContractSummary]
    next_cursor: str | None = Field(description="Asks for what follows; null on the last page")
    as_of: Instant | None = Field(description="The oldest of the readings behind this page; null if one is missing")
    coverage: list[Coverage] = Field(description="The regions asked for, or all that were ever read")
