"""The names of characters and corporations, in bulk and only those not known yet."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.events import Dataset
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.esi.client import EsiClient, Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.models import Name
from ingestor.stores import names
from ingestor.stores.runs import Run

IDS_PER_REQUEST = 1_000
"""Of ESI's `POST /universe/names`."""
IDS_PER_RUN = 10_000

_NAMES = msgspec.json.Decoder(list[Name])


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was asked for, and what of it ESI knows."""

    asked: list[int]
    found: list[Name]


class Names:
    """Learns names."""

    name = Dataset.NAMES

    def __init__(self, engine: AsyncEngine, esi: EsiClient) -> None:
        self._engine = engine
        self._esi = esi

    async def read(self, run: Run, traffic: Traffic) -> Resolved:
        del run
        async with self._engine.connect() as connection:
            asked = await names.due(connection, IDS_PER_RUN)
        if not asked:
            raise NothingToDoError("every name is known, or was asked for lately")
        found: list[Name] = []
        for start in range(0, len(asked), IDS_PER_REQUEST):
            found += await resolve(self._esi, asked[start : start + IDS_PER_REQUEST], traffic)
        return Resolved(asked, found)

    async def store(self, connection: AsyncConnection, run: Run, reading: Resolved) -> Stored:
        del run
        await names.learn(connection, reading.found)
        await names.postpone(connection, set(reading.asked) - {row.id for row in reading.found})
        found = len(reading.found)
        return Stored({"fetched": found, "changed": found})


async def resolve(esi: EsiClient, ids: Sequence[int], traffic: Traffic) -> list[Name]:
    """The names of `ids`, without those ESI does not know: one of them spoils a whole request, so it is halved."""
    if not ids:
        return []
    answer = await esi.post("/universe/names", ids, traffic=traffic)
    if answer.status == 200:  # noqa: PLR2004
        try:
            return _NAMES.decode(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamUnavailableError(f"unreadable names: {error}") from error
    if answer.status != 404:  # noqa: PLR2004
        raise UpstreamRefusedError(answer.status, answer.error())
    if len(ids) == 1:
        return []
    middle = len(ids) // 2
    return await resolve(esi, ids[:middle], traffic) + await resolve(esi, ids[middle:], traffic)


def build(ingredients: Ingredients) -> Ingest:
    return Names(ingredients.engine, ingredients.esi)
