"""Types, groups, regions and stations that turned up since the packaged copy was made, and what was renamed since."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common import tables
from common.events import Dataset
from ingestor.datasets import Ingest, Ingredients, Stored
from ingestor.esi.asking import Answers, Refusal, ask_each
from ingestor.esi.cache import ResponseCache
from ingestor.esi.client import EsiClient, Traffic
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.governor import Share
from ingestor.esi.models import Category, Group, ItemType, Region, Station
from ingestor.stores import indexing, places, universe
from ingestor.stores.runs import Run

MOST_PER_RUN = 200
ERRORS_AT_MOST = 5
"""Of each kind and run: ids that nobody knows are asked for again each day, and cost one of ESI's 100 a minute each."""
TYPES_A_DAY, GROUPS_A_DAY = 150, 50
"""Looked at again. Validators of static routes change with every downtime, so that each look is a whole answer."""

Described = ItemType | Group | Category | Region | Station


class Kind(NamedTuple):
    """A kind of thing in New Eden: where it is kept, where upstream has it, what upstream says of it."""

    table: Table
    path: str
    shape: type[Any]


CATEGORIES = Kind(tables.categories, "/universe/categories", Category)
GROUPS = Kind(tables.groups, "/universe/groups", Group)
TYPES = Kind(tables.types, "/universe/types", ItemType)
REGIONS = Kind(tables.regions, "/universe/regions", Region)
STATIONS = Kind(tables.stations, "/universe/stations", Station)


@dataclass(slots=True)
class Discoveries:
    """What upstream described, and why that is not all, if it is not."""

    rows: list[tuple[Kind, Sequence[Described]]] = field(default_factory=list)
    flaw: str | None = None

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.rows)


class Universe:
    """Keeps up with what CCP adds to the game and renames in it."""

    name = Dataset.UNIVERSE

    def __init__(self, engine: AsyncEngine, esi: EsiClient, cache: ResponseCache) -> None:
        self._engine = engine
        self._esi = esi
        self._cache = cache

    async def read(self, run: Run, traffic: Traffic) -> Discoveries:
        region_ids = await self._regions(run, traffic)
        async with self._engine.connect() as connection:
            new_regions = sorted(region_ids - await universe.known_regions(connection))
            new_stations = await universe.unknown_stations(connection, MOST_PER_RUN)
            new_types = await universe.unknown_held_types(connection, MOST_PER_RUN)
            groups = await universe.unknown_held_groups(connection, MOST_PER_RUN)
            if run.command.force or not await universe.looked_at_today(connection):
                new_types += await universe.todays_types(connection, TYPES_A_DAY)
                groups += await universe.todays_groups(connection, GROUPS_A_DAY)
        asking = _Asking(self._engine, self._esi, traffic)
        await asking.ask(REGIONS, new_regions)
        await asking.ask(STATIONS, new_stations)
        await asking.describe(sorted(set(new_types)), sorted(set(groups)))
        return asking.found

    async def store(self, connection: AsyncConnection, run: Run, reading: Discoveries) -> Stored:
        del run
        learnt = await learn(connection, reading)
        await places.renew(connection)
        await indexing.index_missing(connection)
        fetched = len(reading)
        counts = {
            "fetched": fetched,
            "listed": learnt.added,
            "changed": learnt.changed,
            "unchanged": fetched - learnt.added - learnt.changed,
        }
        return Stored(counts, reading.flaw)

    async def _regions(self, run: Run, traffic: Traffic) -> set[int]:
        answer = await self._cache.get("/universe/regions", again=run.command.force, traffic=traffic)
        try:
            return set(msgspec.json.decode(answer.body, type=list[int]))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamUnavailableError(f"unreadable list of regions: {error}") from error


class _Asking:
    """What a run asks for, kind by kind; what upstream fails at is left to a later run."""

    def __init__(self, engine: AsyncEngine, esi: EsiClient, traffic: Traffic, share: Share = Share.BULK) -> None:
        self._engine = engine
        self._esi = esi
        self._traffic = traffic
        self._share = share
        self.found = Discoveries()

    async def describe(self, type_ids: Sequence[int], group_ids: Sequence[int] = ()) -> None:
        """Types and groups, with the groups and categories they speak of where those are not known yet.

        A type of a group that stays unknown is left out: it would be worse described than before.
        """
        types = await self.ask(TYPES, type_ids)
        mentioned = {row.group_id for row in types}
        async with self._engine.connect() as connection:
            new_groups = await universe.unknown_groups(connection, sorted(mentioned))
        groups = await self.ask(GROUPS, sorted({*new_groups, *group_ids}))
        async with self._engine.connect() as connection:
            new_categories = await universe.unknown_categories(connection, sorted({row.category_id for row in groups}))
        await self.ask(CATEGORIES, new_categories)
        nameless = set(new_groups) - {row.group_id for row in groups}
        self.found.rows = [
            (kind, [row for row in rows if kind is not TYPES or row.group_id not in nameless])  # type: ignore[union-attr]  # only types have a group
            for kind, rows in self.found.rows
        ]

    async def ask(self, kind: Kind, ids: Sequence[int]) -> Sequence[Any]:
        """What upstream says of `ids`, within the allowance of errors; nothing more once it has failed."""
        if not ids or self.found.flaw is not None:
            return ()
        try:
            answers: Answers[int, Described] = await ask_each(
                ids, lambda number: self._one(kind, number), at_once=ERRORS_AT_MOST
            )
        except UpstreamUnavailableError as error:
            self.found.flaw = str(error)
            return ()
        rows = list(answers.found().values())
        self.found.flaw = answers.flaw
        self.found.rows.append((kind, rows))
        return rows

    async def _one(self, kind: Kind, number: int) -> Described | Refusal:
        """A description that is whole: named, and of what was asked for. A degraded one must not blank what we hold."""
        answer = await self._esi.get(f"{kind.path}/{number}", traffic=self._traffic, share=self._share)
        if answer.status != 200:  # noqa: PLR2004
            return Refusal(answer.status, answer.error())
        try:
            row: Described = msgspec.json.decode(answer.body, type=kind.shape)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Refusal(200, f"unreadable: {error}")
        key = next(iter(kind.table.primary_key)).name
        whole = row.name.strip() and getattr(row, key) == number
        return row if whole else Refusal(200, "nameless, or of something else")


async def describe_types(
    engine: AsyncEngine, esi: EsiClient, type_ids: Sequence[int], traffic: Traffic, share: Share = Share.BULK
) -> Discoveries:
    """What ESI says of types we do not know, and of their groups where we do not know those either.

    Raises `UpstreamUnavailableError` when it could not be asked for all of them.
    """
    asking = _Asking(engine, esi, traffic, share)
    await asking.describe(type_ids[:MOST_PER_RUN])
    if asking.found.flaw is not None:
        raise UpstreamUnavailableError(asking.found.flaw)
    return asking.found


async def learn(connection: AsyncConnection, found: Discoveries) -> universe.Learnt:
    """Store what was described; a field that upstream leaves out blanks nothing."""
    learnt = universe.Learnt(0, 0)
    for kind, rows in found.rows:
        new = await universe.learn(connection, kind.table, [msgspec.structs.asdict(row) for row in rows])
        learnt = universe.Learnt(learnt.added + new.added, learnt.changed + new.changed)
    return learnt


def build(ingredients: Ingredients) -> Ingest:
    return Universe(ingredients.engine, ingredients.esi, ingredients.cache)
