"""Everything that crosses a boundary: the list below is what Freeport says and understands."""

from common.events.base import ContractId, ContractType, Event, Isk, RegionId, Topic, TypeId, encode
from common.events.contracts import (
    ContractBid,
    ContractChanged,
    ContractDelisted,
    ContractEnriched,
    ContractEvent,
    ContractListed,
)
from common.events.dead_letter import DeadLetter
from common.events.ingest_requested import Dataset, IngestRequested, Scope
from common.events.items_wanted import ITEMS_CHUNK, ItemsWanted
from common.events.runs import (
    RunAccepted,
    RunCounts,
    RunEvent,
    RunFinished,
    RunOutcome,
    RunProgressed,
    RunStarted,
)
from common.events.schedule_due import ScheduleDue

CATALOGUE: tuple[type[Event], ...] = (
    IngestRequested,
    ScheduleDue,
    ItemsWanted,
    RunAccepted,
    RunStarted,
    RunProgressed,
    RunFinished,
    ContractListed,
    ContractEnriched,
    ContractBid,
    ContractChanged,
    ContractDelisted,
    DeadLetter,
)

__all__ = [
    "CATALOGUE",
    "ITEMS_CHUNK",
    "ContractBid",
    "ContractChanged",
    "ContractDelisted",
    "ContractEnriched",
    "ContractEvent",
    "ContractId",
    "ContractListed",
    "ContractType",
    "Dataset",
    "DeadLetter",
    "Event",
    "IngestRequested",
    "Isk",
    "ItemsWanted",
    "RegionId",
    "RunAccepted",
    "RunCounts",
    "RunEvent",
    "RunFinished",
    "RunOutcome",
    "RunProgressed",
    "RunStarted",
    "ScheduleDue",
    "Scope",
    "Topic",
    "TypeId",
    "encode",
]
