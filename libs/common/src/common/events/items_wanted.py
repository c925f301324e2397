from typing import Annotated, ClassVar

from msgspec import Meta

from common.events.base import ContractId, Event, RegionId, Topic

ITEMS_CHUNK = 200
"""Contracts in one message: a few seconds of upstream requests at the most, so that work spreads over replicas."""


class ItemsWanted(Event, frozen=True, kw_only=True):
    """Contracts whose items have not been read yet."""

    topic: ClassVar = Topic.ITEMS
    type: ClassVar = "freeport.ingest.items.wanted.v1"

    region_id: RegionId
    contract_ids: Annotated[tuple[ContractId, ...], Meta(min_length=1, max_length=1000)]

    @property
    def key(self) -> str:
        return str(self.contract_ids[0])
