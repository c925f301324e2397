from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from common.events.base import ContractId, Event, RegionId, Topic


class Dataset(StrEnum):
    """What can be ingested; each is one module of the ingestor."""

    CONTRACTS = "contracts"
    ITEMS = "items"
    BIDS = "bids"
    PRICES = "prices"
    UNIVERSE = "universe"
    NAMES = "names"
    DYNAMIC_ITEMS = "dynamic_items"
    OUTCOMES = "outcomes"
    HISTORY = "history"


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a dataset that is meant: a region, a contract, what older rules have summarised, or all of it."""

    region_id: RegionId | None = None
    contract_id: ContractId | None = None
    below_version: Annotated[int, Meta(ge=1, le=2**15 - 1)] | None = None

    def __str__(self) -> str:
        if self.region_id is not None:
            return str(self.region_id)
        if self.contract_id is not None:
            return f"contract:{self.contract_id}"
        return "all" if self.below_version is None else f"below:{self.below_version}"

    def parts(self) -> list[str]:
        """The names of the parts that are set."""
        return [name for name in self.__struct_fields__ if getattr(self, name) is not None]


_PARTS: Mapping[Dataset, frozenset[str]] = {
    Dataset.CONTRACTS: frozenset({"region_id"}),
    Dataset.ITEMS: frozenset({"region_id", "contract_id", "below_version"}),
}
"""What a dataset's scope may say; each of these datasets wants one of them, but for those below."""
_WHOLE = frozenset({Dataset.ITEMS})
"""Datasets that also do without: then all is meant that is due by itself."""


class IngestRequested(Event, frozen=True, kw_only=True, tag=False):
    """Somebody wants a dataset read anew from upstream."""

    topic: ClassVar = Topic.COMMANDS
    type: ClassVar = "freeport.ingest.requested.v1"

    dataset: Dataset
    scope: Scope = Scope()
    run_id: Annotated[UUID | None, Meta(description="The run to record it under; derived when absent")] = None
    force: Annotated[bool, Meta(description="Read upstream even when its answer cannot have changed yet")] = False

    def __post_init__(self) -> None:
        known, said = _PARTS.get(self.dataset, frozenset()), self.scope.parts()
        for part in said:
            if part not in known:
                raise ValueError(f"scope.{part} means nothing to the dataset {self.dataset}")
        if len(said) > 1:
            raise ValueError(f"scope may have only one of {', '.join(said)}")
        if known and not said and self.dataset not in _WHOLE:
            raise ValueError(f"scope.{min(known)} is required for the dataset {self.dataset}")

    @property
    def key(self) -> str:
        """Commands for one region stand in one partition, so they are handled one after the other."""
        return f"{self.dataset}:{self.scope}"
