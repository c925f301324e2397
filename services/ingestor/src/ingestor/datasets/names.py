"""The names of characters and corporations, in bulk and only those not known yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.events import Dataset
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.domain.bisecting import Bisection
from ingestor.esi.client import Answer, EsiClient, Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.models import Name
from ingestor.stores import names
from ingestor.stores.runs import Run
from ingestor.stores.spending import lately

IDS_PER_REQUEST = 1_000
"""Of ESI's `POST /universe/names`."""
IDS_PER_RUN = 10_000
SUSPECTS_PER_RUN = 5
"""Ids that ESI did not know before. Each is asked for alone, so that it spoils nobody else's name."""
REQUESTS_PER_MINUTE = 40
"""To find one unknown id among a thousand takes about fifteen; what is left over is a later run's."""
ERRORS_PER_RUN = 20
"""Each refused batch costs one of ESI's 100 errors a minute."""

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

    async def waiting(self, connection: AsyncConnection) -> bool:
        return await names.waiting(connection) and await _room(connection) > 0

    async def read(self, run: Run, traffic: Traffic) -> Resolved:
        del run
        async with self._engine.connect() as connection:
            unseen = await names.unseen(connection, IDS_PER_RUN)
            suspects = await names.suspects(connection, SUSPECTS_PER_RUN)
            room = await _room(connection)
        if not (unseen or suspects):
            raise NothingToDoError("every name is known, or was asked for lately")
        if not room:
            raise NothingToDoError("as many names were asked for as a minute allows")
        resolved, batches = Resolved(), Bisection(_batches(unseen, suspects))
        try:
            await self._resolve(batches, room, traffic, resolved)
        except (UpstreamUnavailableError, UpstreamRefusedError) as error:
            if not resolved.asked and not batches.bad:
                raise
            resolved.flaw = str(error)
        resolved.asked += batches.bad
        return resolved

    async def store(self, connection: AsyncConnection, run: Run, reading: Resolved) -> Stored:
        del run
        await names.learn(connection, reading.found)
        await names.postpone(connection, set(reading.asked) - {row.id for row in reading.found})
        found = len(reading.found)
        return Stored({"fetched": found, "changed": found}, reading.flaw)

    async def _resolve(self, batches: Bisection, room: int, traffic: Traffic, into: Resolved) -> None:
        """Ask batch by batch. An id that ESI does not know spoils its batch, which is halved until the id is found."""
        errors = 0
        while (batch := batches.next()) is not None and errors < ERRORS_PER_RUN and traffic.requests < room:
            answer = await self._esi.post("/universe/names", batch, traffic=traffic)
            if answer.status == 404:  # noqa: PLR2004
                errors += 1
                batches.spoiled()
            else:
                into.found += _found(answer)
                into.asked += batch
                batches.good()


def _batches(unseen: Sequence[int], suspects: Sequence[int]) -> list[Sequence[int]]:
    """The last is asked for first: those nobody has asked for yet."""
    bulk = [unseen[start : start + IDS_PER_REQUEST] for start in range(0, len(unseen), IDS_PER_REQUEST)]
    return [*([suspect] for suspect in suspects), *reversed(bulk)]


async def _room(connection: AsyncConnection) -> int:
    return max(REQUESTS_PER_MINUTE - await lately(connection, Dataset.NAMES, "upstream_requests"), 0)


def _found(answer: Answer) -> list[Name]:
    if answer.status != 200:  # noqa: PLR2004
        raise UpstreamRefusedError(answer.status, answer.error())
    try:
        return [row for row in _NAMES.decode(answer.body) if row.name]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UpstreamUnavailableError(f"unreadable names: {error}") from error


def build(ingredients: Ingredients) -> Ingest:
    return Names(ingredients.engine, ingredients.esi)
