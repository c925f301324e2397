from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.schemas.base import Instant, Isk, Shown
from api.schemas.contract_base import ContractBase, Security

AsOf = Annotated[Instant | None, Field(description="When the list of its region was last read; null: never")]


class Worth(Shown):
    """What something costs at the market, in ISK."""

    buy: Isk | None = Field(description="At Jita's best buy orders; null: nobody bids")
    sell: Isk = Field(description="At Jita's best sell orders; where there is none, at the average")
    average: Isk = Field(description="At the average of New Eden; where there is none, at Jita's sell orders")


class LineValue(Shown):
    """What a line is worth at present prices."""

    unit: Worth = Field(description="One piece of it")
    total: Worth = Field(description="All of its pieces")


class RolledAttribute(Shown):
    """One attribute of an abyssal item."""

    attribute_id: int
    value: float


class DynamicItem(Shown):
    """What a mutaplasmid made of an item."""

    state: Literal["wanted", "stored", "failed"] = Field(
        description="wanted: its rolls are still to be read; stored; failed: set aside after days of trying"
    )
    source_type_id: int | None = Field(description="The type it was before; null until its rolls were read")
    source_type_name: str | None
    mutator_type_id: int | None = Field(description="The mutaplasmid; null until its rolls were read")
    mutator_type_name: str | None
    attributes: list[RolledAttribute] = Field(description="Empty until its rolls were read")


class ContractItem(Shown):
    """One stack of a contract."""

    record_id: int
    type_id: int
    type_name: str | None
    group_id: int | None
    group_name: str | None
    category_id: int | None
    category_name: str | None
    quantity: int
    item_id: int | None
    is_blueprint_copy: bool | None = Field(description="Of a blueprint: copy or original; null of anything else")
    runs: int | None
    material_efficiency: int | None
    time_efficiency: int | None
    value: LineValue | None = Field(description="Null where it is not priced; then `unpriced` says why")
    unpriced: Literal["blueprint_copy", "abyssal", "no_quantity", "no_price"] | None = Field(
        description="Copies of blueprints and abyssal items are never priced as their type"
    )
    image: str = Field(description="Its picture at CCP's image server; `?size=` takes powers of two from 32 to 1024")
    dynamic: DynamicItem | None = Field(description="Of an abyssal item; null of any other")


class BidsInBrief(Shown):
    """The bids on an auction, in brief."""

    count: int | None = Field(description="Null until they were read")
    highest: Isk | None = Field(description="Null: nobody bid, or they were not read yet")
    latest_at: Instant | None


class ContractLinks(Shown):
    """Where more of it is to be seen."""

    game: str | None = Field(
        description="For the game's notepad and chat: a click opens the contract. Null where its system is not known",
        examples=["<url=contract:30000142//236102787>Rifter</url>"],
    )
    image: str | None = Field(description="Of the ship, or else the first item it offers; null where it has no items")
    history: str = Field(description="Path: what happened to it")
    bids: str | None = Field(description="Path: its bids; null unless it is an auction")


class ContractDetail(ContractBase):
    """A contract, live or gone, and everything it holds."""

    as_of: AsOf
    prices_as_of: Instant | None = Field(description="Of which moment Jita's orders are; null: never read")
    security_status: float | None
    end_system_id: int | None = Field(description="Where it ends; null in a player's structure")
    end_system_name: str | None
    end_security: Security | None
    end_security_status: float | None
    end_region_id: int | None
    end_region_name: str | None
    jumps: int | None = Field(description="Of a courier contract, by the shortest way; null where an end is unknown")
    jumps_high_security: int | None = Field(
        description="The same through high security only; null where there is no such way or an end is unknown"
    )
    value_sell: Isk | None = Field(
        description="What its offer costs at Jita's sell orders; ISK, of the lines that are priced. Null where none is."
        " It may be a thousandth off the values of the lines, which are of this moment"
    )
    listed_at: Instant = Field(description="When it was first seen")
    items_read_at: Instant | None = Field(description="When its items were read; null: not yet, or nobody noted when")
    bids: BidsInBrief | None = Field(description="Null unless it is an auction")
    links: ContractLinks
    items_offered: list[ContractItem]
    items_requested: list[ContractItem] = Field(description="What the issuer wants from whoever accepts it")


class Bid(Shown):
    """A bid on an auction. Who bids is not public."""

    bid_id: int
    amount: Isk
    date_bid: Instant


class ContractBids(Shown):
    """The bids on a contract, the highest first."""

    contract_id: int
    as_of: AsOf
    is_auction: bool = Field(description="Nothing else is bid on")
    count: int | None = Field(description="Null until they were read")
    highest: Isk | None
    price: Isk | None = Field(description="With which bidding starts")
    buyout: Isk | None
    items: list[Bid]


class Event(Shown):
    """Something that happened to a contract."""

    at: Instant
    event: Literal["listed", "enriched", "bid", "changed", "expired", "delisted", "relisted", "outcome"] = Field(
        description="listed: first seen; enriched: its items were read; changed: its public face, which `details` gives"
        " in full; expired: its time was over; delisted: missing from a complete list; relisted: there again; outcome:"
        " found out what became of it"
    )
    details: dict[str, Any] = Field(description="What there is to tell of it, in the words of the event on Kafka")


class ContractHistory(Shown):
    """What happened to a contract, the oldest first."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "contract_id": 236101571,
                    "as_of": "2026-11-22T07:20:05.1+00:00",
                    "live": False,
                    "items_state": "stored",
                    "outcome": "accepted",
                    "items": [
                        {
                            "at": "2026-11-22T06:18:36.74+00:00",
                            "event": "listed",
                            "details": {"region_id": 10000043},
                        },
                        {
                            "at": "2026-11-22T06:18:38.02+00:00",
                            "event": "enriched",
                            "details": {
                                "label": "Hoarder",
                                "composition": "single",
                                "contains_ship": True,
                                "items_offered": 1,
                                "items_requested": 0,
                            },
                        },
                        {
                            "at": "2026-11-22T07:20:05.1+00:00",
                            "event": "delisted",
                            "details": {"outcome": "unknown", "generation": "2026-11-22T07:20:03Z"},
                        },
                        {
                            "at": "2026-11-22T07:20:12.5+00:00",
                            "event": "outcome",
                            "details": {"outcome": "accepted", "price": 282000000.00, "title": "Hoarder packaged"},
                        },
                    ],
                }
            ]
        },
    )

    contract_id: int
    as_of: AsOf
    live: bool
    items_state: Literal["none", "wanted", "stored", "failed"]
    outcome: str | None = Field(description="What became of it, as far as that is known")
    items: list[Event]
