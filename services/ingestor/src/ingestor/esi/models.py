"""ESI's answers, as far as we read them. Unknown fields are ignored and absent ones are None.

Source: CCP's OpenAPI of 2026-08-18; what really occurs was checked against recordings.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Quantity = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Instant = Annotated[datetime, Meta(tz=True)]
Small = Annotated[int, Meta(ge=-(2**15), le=2**15 - 1)]
Number = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]


class PublicContract(msgspec.Struct, frozen=True, gc=False):
    """A row of `/contracts/public/{region_id}`. Amounts in ISK, volume in m³."""

    contract_id: Annotated[int, Meta(gt=0, le=2**63 - 1)]
    type: str
    date_issued: Instant
    date_expired: Instant
    issuer_id: Id
    issuer_corporation_id: Id
    for_corporation: bool = False
    start_location_id: Id | None = None
    end_location_id: Id | None = None
    price: Decimal | None = None
    buyout: Decimal | None = None
    reward: Decimal | None = None
    collateral: Decimal | None = None
    volume: float | None = None
    days_to_complete: Number | None = None
    title: str | None = None


class PublicItem(msgspec.Struct, frozen=True, gc=False):
    """A row of `/contracts/public/items/{contract_id}`."""

    record_id: Id
    type_id: Id
    quantity: Quantity
    is_included: bool
    item_id: Id | None = None
    is_blueprint_copy: bool | None = None
    material_efficiency: Small | None = None
    time_efficiency: Small | None = None
    runs: Number | None = None


class Name(msgspec.Struct, frozen=True):
    """A row of `/universe/names`."""

    id: Id
    name: str
    category: str


class ItemType(msgspec.Struct, frozen=True):
    """`/universe/types/{type_id}`; volumes in m³."""

    type_id: Id
    name: str
    group_id: Id
    volume: float | None = None
    packaged_volume: float | None = None
    portion_size: Number | None = None
    market_group_id: Id | None = None


class Group(msgspec.Struct, frozen=True):
    """`/universe/groups/{group_id}`."""

    group_id: Id
    name: str
    category_id: Id
    published: bool


class Station(msgspec.Struct, frozen=True):
    """`/universe/stations/{station_id}`: NPC stations only."""

    station_id: Id
    name: str
    system_id: Id


class Region(msgspec.Struct, frozen=True):
    """`/universe/regions/{region_id}`."""

    region_id: Id
    name: str


class Category(msgspec.Struct, frozen=True):
    """`/universe/categories/{category_id}`."""

    category_id: Id
    name: str
    published: bool


class PublicBid(msgspec.Struct, frozen=True, gc=False):
    """A row of `/contracts/public/bids/{contract_id}`; the amount in ISK. Who bids is not told."""

    bid_id: Id
    amount: Decimal
    date_bid: Instant


class RolledAttribute(msgspec.Struct, frozen=True, gc=False):
    """One attribute of a dynamic item, as it was rolled."""

    attribute_id: Number
    value: float


class DynamicItem(msgspec.Struct, frozen=True):
    """`/dogma/dynamic/items/{type_id}/{item_id}`: what a mutaplasmid made of an item."""

    source_type_id: Id
    mutator_type_id: Id
    created_by: Id
    dogma_attributes: tuple[RolledAttribute, ...]


class MarketPrice(msgspec.Struct, frozen=True, gc=False):
    """A row of `/markets/prices`; ISK, over all of New Eden."""

    type_id: Id
    average_price: Decimal | None = None
    adjusted_price: Decimal | None = None


class MarketOrder(msgspec.Struct, frozen=True, gc=False):
    """A row of `/markets/{region_id}/orders`; ISK for one piece."""

    type_id: Id
    is_buy_order: bool
    price: Decimal
    location_id: Id
    system_id: Id
    range: str
    min_volume: Quantity = 1
