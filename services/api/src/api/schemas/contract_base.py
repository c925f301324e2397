"""What every answer about a contract shows of it."""

from typing import Literal

from pydantic import Field

from api.schemas.base import CubicMetres, Instant, Isk, Shown

Security = Literal["high", "low", "null", "wormhole"]


class ContractBase(Shown):
    """A contract as it stands in its region's list, and what its items say of it."""

    contract_id: int
    contract_type: str = Field(description="One of ContractType, or a word of ESI's that is newer than this")
    region_id: int
    region_name: str | None
    system_id: int | None = Field(description="Where it starts; null in a player's structure")
    system_name: str | None
    security: Security | None = Field(description="Of that system, as the game rounds it")
    start_location_id: int | None
    start_location_name: str | None = Field(description="Null in a player's structure")
    end_location_id: int | None
    end_location_name: str | None = Field(description="Null in a player's structure")
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
    reward_per_m3: float | None = Field(description="ISK for carrying one m³; null of all that is no courier contract")
    days_to_complete: int | None
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
    live: bool = Field(description="Listed and not expired")
    delisted_at: Instant | None = Field(description="When it was missing from a complete list")
    outcome: str | None = Field(description="What became of it, as far as that is known")
    items_state: Literal["none", "wanted", "stored", "failed"] = Field(
        description="none: it has none to read; wanted: still to be read; stored; failed: set aside"
    )
