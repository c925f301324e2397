"""What every message is: a frozen value that knows its topic, its type and its key."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

_BIGINT = 2**63 - 1
_ENCODER = msgspec.json.Encoder(decimal_format="number")

ContractId = Annotated[int, Meta(gt=0, le=_BIGINT, description="A contract's id")]
RegionId = Annotated[int, Meta(gt=0, le=_BIGINT, description="A region's id")]
TypeId = Annotated[int, Meta(gt=0, le=_BIGINT, description="An item type's id")]
Count = Annotated[int, Meta(ge=0)]
Isk = Annotated[Decimal, Meta(description="An amount in ISK, to the cent")]
ContractType = Literal["unknown", "item_exchange", "auction", "courier", "loan"]


class Topic(StrEnum):
    """The topics; their names are a public contract."""

    COMMANDS = "freeport.ingest.commands.v1"
    SCHEDULES_DUE = "freeport.schedules.due.v1"
    ITEMS = "freeport.ingest.items.v1"
    RUNS = "freeport.ingest.runs.v1"
    CONTRACT_EVENTS = "freeport.contracts.events.v1"
    DEAD_LETTERS = "freeport.dead-letters.v1"


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A fact, or a wish, that crosses a boundary. Readers ignore fields they do not know."""

    topic: ClassVar[Topic]
    type: ClassVar[str]

    @property
    def key(self) -> str:
        """Messages of one key stay in order, on one partition."""
        raise NotImplementedError


def encode(event: Event) -> bytes:
    """The event as it travels: JSON, with amounts as numbers."""
    return _ENCODER.encode(event)
