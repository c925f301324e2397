"""What happens to a contract, told on one topic and in order for each contract."""

from datetime import datetime
from typing import Annotated, ClassVar

from msgspec import Meta

from common.events.base import ContractId, ContractType, Count, Event, Isk, RegionId, Topic


class ContractEvent(Event, frozen=True, kw_only=True):
    """Something happened to a contract."""

    topic: ClassVar = Topic.CONTRACT_EVENTS

    contract_id: ContractId
    region_id: RegionId

    @property
    def key(self) -> str:
        """One contract's events stay in order, on one partition."""
        return str(self.contract_id)


class ContractListed(ContractEvent, frozen=True, kw_only=True):
    """A contract stood in a region's public list for the first time."""

    type: ClassVar = "freeport.contract.listed.v1"

    contract_type: ContractType
    issuer_id: int
    issuer_corporation_id: int
    date_issued: datetime
    date_expired: datetime
    title: str | None = None
    price: Isk | None = None
    buyout: Isk | None = None
    reward: Isk | None = None
    collateral: Isk | None = None
    volume: Annotated[float | None, Meta(description="m³")] = None
    start_location_id: int | None = None
    end_location_id: int | None = None


class ContractEnriched(ContractEvent, frozen=True, kw_only=True):
    """A contract's items were read, and what it is was derived from them."""

    type: ClassVar = "freeport.contract.enriched.v1"

    label: str
    composition: str
    contains_ship: bool
    items_offered: Count
    items_requested: Count
    value_sell: Annotated[
        Isk | None, Meta(description="What it offers costs at Jita, as far as that is known when its items are read")
    ] = None
    value_lines: Annotated[Count | None, Meta(description="Lines it offers")] = None
    value_lines_priced: Annotated[Count | None, Meta(description="Those of them that are in the value")] = None


class ContractChanged(ContractEvent, frozen=True, kw_only=True):
    """A contract's public face is not what it was, or more is known of what became of it."""

    type: ClassVar = "freeport.contract.changed.v1"

    relisted: Annotated[bool, Meta(description="It had vanished from the list and is back")] = False
    price: Isk | None = None
    buyout: Isk | None = None
    title: str | None = None
    date_expired: datetime | None = None
    outcome: Annotated[
        str | None, Meta(description="accepted, expired or withdrawn: found out after it left the list")
    ] = None


class ContractBid(ContractEvent, frozen=True, kw_only=True):
    """Somebody bid on an auction. Who it was is not public."""

    type: ClassVar = "freeport.contract.bid.v1"

    bid_id: int
    amount: Isk
    date_bid: datetime


class ContractDelisted(ContractEvent, frozen=True, kw_only=True):
    """A contract is missing from a complete, consistent, newer list of its region."""

    type: ClassVar = "freeport.contract.delisted.v1"

    outcome: Annotated[str, Meta(description="expired, or unknown while nothing proves what became of it")]
    generation: Annotated[datetime, Meta(description="Last-Modified of the list that no longer holds it")]
