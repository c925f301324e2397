from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas.base import CubicMetres, Id, Instant, Isk, Shown
from api.schemas.contract_filters import IskBound, Security

SMALLEST_PROFIT = 1_000_000
CategoryId = Annotated[int, Field(ge=1, le=147_483_647)]


class DealQuery(BaseModel):
    """Which deals, and which page of them."""

    region_id: list[Id] = Field([], max_length=100, description="In any of these regions")
    security: list[Security] = Field([], max_length=4, description="Where it is as safe as one of these")
    category_id: list[CategoryId] = Field(
        [], max_length=100, description="That offer an item of any of these categories"
    )
    min_profit: Annotated[IskBound, Field(ge=SMALLEST_PROFIT)] = Field(
        Decimal(SMALLEST_PROFIT),
        ge=SMALLEST_PROFIT,
        description="That cost at least so much less than they are worth; ISK, a million or more",
    )
    price_max: IskBound | None = Field(None, description="Whose price is at most this; ISK")
    min_coverage: float = Field(
        1,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="Of whose lines at least this part is priced. Below 1, what is not priced counts as worth nothing",
    )
    limit: int = Field(50, ge=1, le=200, description="Deals on a page, at most")
    cursor: str | None = Field(
        None, max_length=400, description="`next_cursor` of the page before; the filters stay the same"
    )


class Deal(Shown):
    """A contract that costs less than it is worth."""

    contract_id: int
    contract_type: str
    label: str | None = Field(description="What it is about, in our words")
    title: str | None = Field(description="In the issuer's words")
    composition: str | None
    contains_ship: bool | None
    region_id: int
    region_name: str | None
    system_id: int | None = Field(description="Null in a player's structure")
    system_name: str | None
    security: Literal["high", "low", "null", "wormhole"] | None
    start_location_id: int | None
    start_location_name: str | None
    issuer_id: int
    issuer_name: str | None
    volume: CubicMetres | None
    packaged_volume: CubicMetres | None
    price: Isk
    worth: Isk = Field(description="The lesser of `value_sell` and `value_average`")
    ratio: float = Field(description="`price` per `worth`")
    profit: Isk = Field(description="`worth` less `price`, before taxes, fees and the way")
    profit_at_once: Isk = Field(description="`value_buy` less `price`: what selling to Jita's buy orders leaves")
    value_buy: Isk
    value_sell: Isk
    value_average: Isk
    value_lines: int
    value_lines_priced: int
    date_issued: Instant
    date_expired: Instant
    why: str = Field(description="Why it is listed, in a sentence")
    uncertain: list[Literal["partly_priced", "one_price", "low_bids", "assembled", "skin", "structure"]] = Field(
        description="What may be wrong with it. partly_priced: not all lines are in the value; one_price: the value"
        " of a line rests on sell orders or the average alone; low_bids: buy orders pay less than half; assembled: it"
        " is larger than if packaged, or nobody knows, so it may be damaged, and rigs are lost when it is packaged;"
        " skin: a SKIN is called like its ship and is none; structure: a player's, who may refuse docking"
    )
    game: str | None = Field(description="Link for the game's notepad and chat; null where the system is not known")


class DealPage(Shown):
    """Deals, the cheapest for their worth first."""

    items: list[Deal]
    next_cursor: str | None = Field(description="Asks for what follows; null on the last page")
    as_of: Instant | None = Field(description="The oldest reading of the regions' lists; null: none was read")
    prices_as_of: Instant | None = Field(description="Of which moment Jita's orders are; null: never read")
