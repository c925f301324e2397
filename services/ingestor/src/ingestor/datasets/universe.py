"""Types, groups, regions and stations that turned up since the packaged copy was made; each asked for once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common import tables
from common.events import Dataset
from ingestor.datasets import Ingest, Ingredients, Stored
from ingestor.esi.client import EsiClient, Traffic
from ingestor.esi.errors import UpstreamRefusedError
from ingestor.esi.models import Group, ItemType, Region, Station
from ingestor.stores import universe
from ingestor.stores.runs import Run

MOST_PER_RUN = 200


@dataclass(slots=True)
class Discoveries:
    """Rows of upstream that we did not have."""

    types: list[ItemType] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    stations: list[Station] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.types) + len(self.groups) + len(self.regions) + len(self.stations)


class Universe:
    """Keeps up with what CCP adds to the game."""

    name = Dataset.UNIVERSE

    def __init__(self, engine: AsyncEngine, esi: EsiClient) -> None:
        self._engine = engine
        self._esi = esi

    async def read(self, run: Run, traffic: Traffic) -> Discoveries:
        del run
        region_ids = await self._esi.fetch("/universe/regions", list[int], traffic=traffic)
        async with self._engine.connect() as connection:
            new_regions = sorted(set(region_ids) - await universe.known_regions(connection))
            new_stations = await universe.unknown_stations(connection, MOST_PER_RUN)
            new_types = await universe.unknown_held_types(connection, MOST_PER_RUN)
        found = await describe_types(self._engine, self._esi, new_types, traffic)
        found.regions = await _each(self._esi, "/universe/regions", new_regions, Region, traffic)
        found.stations = await _each(self._esi, "/universe/stations", new_stations, Station, traffic)
        return found

    async def store(self, connection: AsyncConnection, run: Run, reading: Discoveries) -> Stored:
        del run
        await learn(connection, reading)
        return Stored({"fetched": len(reading), "listed": len(reading)})


async def describe_types(engine: AsyncEngine, esi: EsiClient, type_ids: Sequence[int], traffic: Traffic) -> Discoveries:
    """What ESI says of types we do not know, and of their groups where we do not know those either."""
    found = Discoveries(types=await _each(esi, "/universe/types", type_ids[:MOST_PER_RUN], ItemType, traffic))
    async with engine.connect() as connection:
        new_groups = await universe.unknown_groups(connection, [row.group_id for row in found.types])
    found.groups = await _each(esi, "/universe/groups", new_groups, Group, traffic)
    return found


async def learn(connection: AsyncConnection, found: Discoveries) -> None:
    """Store what was discovered; a field that upstream leaves out blanks nothing."""
    for table, rows in (
        (tables.groups, found.groups),
        (tables.types, found.types),
        (tables.regions, found.regions),
        (tables.stations, found.stations),
    ):
        plain: list[dict[str, Any]] = [msgspec.structs.asdict(row) for row in rows]
        await universe.learn(connection, table, plain)


async def _each(esi: EsiClient, path: str, ids: Sequence[int], kind: type[Any], traffic: Traffic) -> list[Any]:
    found = []
    for number in ids:
        try:
            found.append(await esi.fetch(f"{path}/{number}", kind, traffic=traffic))
        except UpstreamRefusedError:
            continue  # unknown upstream too; what refers to it stays unnamed
    return found


def build(ingredients: Ingredients) -> Ingest:
    return Universe(ingredients.engine, ingredients.esi)
