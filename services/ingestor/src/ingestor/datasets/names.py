"""The names of characters and corporations, in bulk and only those not known yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.events import Dataset
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.esi.client import Answer, EsiClient, Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.models import Name
from ingestor.stores import names
from ingestor.stores.runs import Run

IDS_PER_REQUEST = 1_000
"""Of ESI's `POST /universe/names`."""
IDS_PER_RUN = 10_000
REQUESTS_PER_RUN = 60
"""Unknown ids cost a dozen requests each, most of them errors; what is left over is the next run's."""

_NAMES = msgspec.json.Decoder(list[Name])


@dataclass(slots=True)
class Resolved:
    """Ids that ESI has answered for, what it knows of them, and what ended the asking early, if anything did."""

    asked: list[int] = field(default_factory=list)
    found: list[Name] = field(default_factory=list)
    flaw: str | None = None


class Names:
    """Learns names."""

    name = Dataset.NAMES

    def __init__(self, engine: AsyncEngine, esi: EsiClient) -> None:
        self._engine = engine
        self._esi = esi

    async def read(self, run: Run, traffic: Traffic) -> Resolved:
        del run
        async with self._engine.connect() as connection:
            due = await names.due(connection, IDS_PER_RUN)
        if not due:
            raise NothingToDoError("every name is known, or was asked for lately")
        resolved = Resolved()
        try:
            for start in range(0, len(due), IDS_PER_REQUEST):
                await resolve(self._esi, due[start : start + IDS_PER_REQUEST], traffic, resolved)
        except (UpstreamUnavailableError, UpstreamRefusedError) as error:
            if not resolved.asked:
                raise
            resolved.flaw = str(error)
        return resolved

    async def store(self, connection: AsyncConnection, run: Run, reading: Resolved) -> Stored:
        del run
        await names.learn(connection, reading.found)
        await names.postpone(connection, set(reading.asked) - {row.id for row in reading.found})
        found = len(reading.found)
        return Stored({"fetched": found, "changed": found}, reading.flaw)


async def resolve(esi: EsiClient, ids: Sequence[int], traffic: Traffic, into: Resolved) -> None:
    """Ask for `ids`. One that ESI does not know spoils a whole request, so that is halved, while requests last."""
    if not ids or traffic.requests >= REQUESTS_PER_RUN:
        return
    answer = await esi.post("/universe/names", ids, traffic=traffic)
    if answer.status == 404 and len(ids) > 1:  # noqa: PLR2004
        middle = len(ids) // 2
        await resolve(esi, ids[:middle], traffic, into)
        await resolve(esi, ids[middle:], traffic, into)
        return
    into.found += _found(answer)
    into.asked += ids


def _found(answer: Answer) -> list[Name]:
    if answer.status == 404:  # noqa: PLR2004
        return []
    if answer.status != 200:  # noqa: PLR2004
        raise UpstreamRefusedError(answer.status, answer.error())
    try:
        return [row for row in _NAMES.decode(answer.body) if row.name]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UpstreamUnavailableError(f"unreadable names: {error}") from error


def build(ingredients: Ingredients) -> Ingest:
    return Names(ingredients.engine, ingredients.esi)
