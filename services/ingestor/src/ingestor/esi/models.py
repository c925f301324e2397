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
