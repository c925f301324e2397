"""One module a dataset: a file in here with a function `build(ingredients)` is found, and its commands understood."""

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.errors import FreeportError
from common.events import Dataset
from common.messaging.outbox import Outbox
from ingestor.esi.cache import ResponseCache
from ingestor.esi.client import EsiClient, Traffic
from ingestor.stores.runs import Run


class NothingToDoError(FreeportError):
    """The run is skipped; the message says why."""


@dataclass(frozen=True, slots=True)
class Ingredients:
    """What a dataset may build on."""

    engine: AsyncEngine
    esi: EsiClient
    outbox: Outbox
    cache: ResponseCache
    retention: timedelta


@dataclass(frozen=True, slots=True)
class Stored:
    """What a dataset stored: counts of the run, and what kept it from being complete, if anything did.

    `at_once`: contracts whose items are to be read right after the commit, before any backlog.
    """

    counts: dict[str, int]
    flaw: str | None = None
    at_once: Sequence[int] = ()


class Ingest(Protocol):
    """What a dataset does for a command: read upstream first, then store in one transaction."""

    name: Dataset

    async def read(self, run: Run, traffic: Traffic) -> Any:
        """What upstream says. Holds no transaction. Raises `NothingToDoError` when the run may be skipped."""

    async def store(self, connection: AsyncConnection, run: Run, reading: Any) -> Stored:
        """Make it ours. Doing it twice changes nothing; an older reading never replaces a newer one."""


@runtime_checkable
class Backlog(Protocol):
    """A dataset that knows by its own rows when there is something to do; no command is needed then."""

    async def waiting(self, connection: AsyncConnection) -> bool:
        """Whether something is due. Cheap: it is asked every few seconds."""


def discover(ingredients: Ingredients) -> dict[Dataset, Ingest]:
    """All datasets in this folder, by name."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    datasets: list[Ingest] = [module.build(ingredients) for module in modules if hasattr(module, "build")]
    return {dataset.name: dataset for dataset in datasets}
