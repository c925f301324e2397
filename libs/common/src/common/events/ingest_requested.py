from enum import StrEnum
from typing import Annotated, ClassVar
from uuid import UUID

import msgspec
from msgspec import Meta

from common.events.base import Event, RegionId, Topic


class Dataset(StrEnum):
    """What can be ingested; each is one module of the ingestor."""

    CONTRACTS = "contracts"
    UNIVERSE = "universe"
    NAMES = "names"


class Scope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The part of a dataset that is meant: a region, or all of it."""

    region_id: RegionId | None = None

    def __str__(self) -> str:
        return "all" if self.region_id is None else str(self.region_id)


class IngestRequested(Event, frozen=True, kw_only=True, tag=False):
    """Somebody wants a dataset read anew from upstream."""

    topic: ClassVar = Topic.COMMANDS
    type: ClassVar = "freeport.ingest.requested.v1"

    dataset: Dataset
    scope: Scope = Scope()
    run_id: Annotated[UUID | None, Meta(description="The run to record it under; derived when absent")] = None
    force: Annotated[bool, Meta(description="Read upstream even when its answer cannot have changed yet")] = False

    def __post_init__(self) -> None:
        wants_region = self.dataset is Dataset.CONTRACTS
        if wants_region and self.scope.region_id is None:
            raise ValueError("scope.region_id is required for the dataset contracts")
        if not wants_region and self.scope.region_id is not None:
            raise ValueError(f"scope.region_id means nothing to the dataset {self.dataset}")

    @property
    def key(self) -> str:
        """Commands for one region stand in one partition, so they are handled one after the other."""
        return f"{self.dataset}:{self.scope}"
