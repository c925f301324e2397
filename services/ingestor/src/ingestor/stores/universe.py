"""New Eden's unchanging parts: the packaged copy, and what turned up since."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common import universe
from common.database import asyncpg_connection
from common.tables import (
    categories,
    contract_items,
    contracts,
    groups,
    regions,
    stargates,
    stations,
    systems,
    types,
    universe_versions,
)
from ingestor.stores import places, words
from ingestor.stores.dynamic_items import want_held

Records = Iterator[tuple[object, ...]]

FIRST_STATION, LAST_STATION = 60_000_000, 64_000_000
"""Stations of the game's own corporations; other locations are players' structures, which nobody may look up."""

HELD = """
  SELECT DISTINCT i.type_id FROM contract_items i JOIN contracts c USING (contract_id)
   WHERE c.delisted_at IS NULL AND c.date_expired > now()
"""
TODAY = "floor(extract(epoch FROM now() - interval '11 hours 5 minutes') / 86400)::bigint"
"""Static routes expire at 11:05 UTC, after the downtime."""
PART = f"""
SELECT id FROM (SELECT id, (row_number() OVER (ORDER BY id) - 1) / :limit AS part, count(*) OVER () AS held FROM held) h
 WHERE part = {TODAY} % ((held - 1) / :limit + 1)
 ORDER BY id
"""  # noqa: S608 - our own constants
TODAYS_TYPES = text(f"/* universe.todays_types */ WITH held (id) AS ({HELD}) {PART}")
TODAYS_GROUPS = text(
    "/* universe.todays_groups */ WITH held (id) AS (SELECT DISTINCT t.group_id"  # noqa: S608 - our own constants
    f" FROM types t JOIN ({HELD}) h USING (type_id)) {PART}"
)
LOOKED_AT_TODAY = text("""
/* universe.looked_at_today */
SELECT EXISTS (
  SELECT FROM runs WHERE dataset = 'universe' AND state IN ('succeeded', 'partial')
     AND listed_at >= date_trunc('day', now() - interval '11 hours 5 minutes') + interval '11 hours 5 minutes')
""")


async def load_packaged(connection: AsyncConnection) -> bool:
    """Make the packaged copy's rows ours, once for each version of it; says whether there was anything to do."""
    await connection.execute(text("LOCK TABLE universe_versions IN SHARE ROW EXCLUSIVE MODE"))
    known = select(universe_versions.c.version).where(universe_versions.c.version == universe.VERSION)
    if await connection.scalar(known) is not None:
        return False
    raw = await asyncpg_connection(connection)
    for table, records in _packaged():
        await _upsert(raw, table, records)
    await connection.execute(insert(universe_versions).values(version=universe.VERSION))
    await want_held(connection)
    await words.meet_new_eden(raw)
    await places.renew(connection, ways=True)
    return True


async def unknown_groups(connection: AsyncConnection, group_ids: Sequence[int]) -> list[int]:
    rows = await connection.scalars(select(groups.c.group_id).where(groups.c.group_id.in_(group_ids)))
    return sorted(set(group_ids) - set(rows))


async def unknown_categories(connection: AsyncConnection, category_ids: Sequence[int]) -> list[int]:
    rows = await connection.scalars(select(categories.c.category_id).where(categories.c.category_id.in_(category_ids)))
    return sorted(set(category_ids) - set(rows))


async def unknown_held_types(connection: AsyncConnection, limit: int) -> list[int]:
    """Types that contracts hold and nobody has described yet. In no order: one that nobody knows delays no other."""
    held = select(contract_items.c.type_id).distinct().subquery()
    query = (
        select(held.c.type_id)
        .where(~select(types.c.type_id).where(types.c.type_id == held.c.type_id).exists())
        .order_by(func.random())
        .limit(limit)
    )
    return list(await connection.scalars(query))


async def unknown_held_groups(connection: AsyncConnection, limit: int) -> list[int]:
    """Groups that described types are of and that are not described themselves."""
    used = select(types.c.group_id).distinct().subquery()
    query = (
        select(used.c.group_id)
        .where(~select(groups.c.group_id).where(groups.c.group_id == used.c.group_id).exists())
        .order_by(func.random())
        .limit(limit)
    )
    return list(await connection.scalars(query))


async def unknown_stations(connection: AsyncConnection, limit: int) -> list[int]:
    """Stations that contracts start or end at and nobody has described yet; players' structures are left out."""
    starts = select(contracts.c.start_location_id.label("station_id"))
    used = starts.union(select(contracts.c.end_location_id)).subquery()
    query = (
        select(used.c.station_id)
        .where(
            used.c.station_id.between(FIRST_STATION, LAST_STATION),
            ~select(stations.c.station_id).where(stations.c.station_id == used.c.station_id).exists(),
        )
        .order_by(func.random())
        .limit(limit)
    )
    return list(await connection.scalars(query))


async def known_regions(connection: AsyncConnection) -> set[int]:
    return set(await connection.scalars(select(regions.c.region_id)))


async def looked_at_today(connection: AsyncConnection) -> bool:
    """Whether a run has been through the day's part already. A day begins when upstream's static data may change."""
    return bool(await connection.scalar(LOOKED_AT_TODAY))


async def todays_types(connection: AsyncConnection, limit: int) -> list[int]:
    """The day's part, at most so many, of the types that live contracts hold: each has its turn, day after day."""
    return list(await connection.scalars(TODAYS_TYPES, {"limit": limit}))


async def todays_groups(connection: AsyncConnection, limit: int) -> list[int]:
    """The day's part of the groups of those types."""
    return list(await connection.scalars(TODAYS_GROUPS, {"limit": limit}))


@dataclass(frozen=True, slots=True)
class Learnt:
    """How many rows are new, and how many are not what they were."""

    added: int
    changed: int


async def learn(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> Learnt:
    """Add or renew rows of a universe table, keyed by its primary key. What is absent or blank blanks nothing.

    Rows that say nothing new are not written.
    """
    if not rows:
        return Learnt(0, 0)
    statement = insert(table).values(sorted(({**row, "name": _clean(row["name"])} for row in rows), key=_key_of(table)))
    keys = [column.name for column in table.primary_key]
    new: dict[str, ColumnElement[Any]] = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    new["name"] = func.nullif(func.btrim(new["name"]), "")
    renewed = {name: func.coalesce(value, table.c[name]) for name, value in new.items()}
    differs = or_(*(value.is_distinct_from(table.c[name]) for name, value in renewed.items()))
    is_new: ColumnElement[bool] = literal_column("xmax = 0")
    fates = await connection.scalars(
        statement.on_conflict_do_update(index_elements=keys, set_=renewed, where=differs).returning(is_new)
    )
    written = list(fates)
    if written and table in _SEARCHED:
        await words.meet_named(await asyncpg_connection(connection), (row["name"] for row in rows))
    return Learnt(added=sum(written), changed=len(written) - sum(written))


_SEARCHED = (types, stations, systems, regions)


def _clean(name: str) -> str:
    return name.replace("\x00", "")


def _key_of(table: Table) -> Callable[[dict[str, Any]], int]:
    """One order of rows for everybody, so that two who learn the same do not wait for each other."""
    key = next(iter(table.primary_key)).name
    return lambda row: int(row[key])


async def _upsert(raw: Any, table: Table, records: Records) -> None:
    columns = [column.name for column in table.columns if column.computed is None]
    keys = [column.name for column in table.primary_key]
    stage, named = f"packaged_{table.name}", ", ".join(columns)
    await raw.execute(f"CREATE TEMPORARY TABLE {stage} (LIKE {table.name}) ON COMMIT DROP")
    await raw.copy_records_to_table(stage, records=records, columns=columns)
    renewed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    await raw.execute(
        f"INSERT INTO {table.name} ({named}) SELECT {named} FROM {stage} ORDER BY {', '.join(keys)}"  # noqa: S608 - our own names
        f" ON CONFLICT ({', '.join(keys)}) DO {f'UPDATE SET {renewed}' if renewed else 'NOTHING'}"
    )


def _packaged() -> Iterator[tuple[Table, Records]]:
    yield categories, ((row.category_id, row.name, row.published) for row in universe.categories())
    yield groups, ((row.group_id, row.category_id, row.name, row.published) for row in universe.groups())
    yield types, (_type(row) for row in universe.types())
    yield regions, ((row.region_id, row.name) for row in universe.regions())
    yield (
        systems,
        ((row.system_id, row.constellation_id, row.region_id, row.name, row.security) for row in universe.systems()),
    )
    yield stargates, universe.stargates()
    yield stations, ((row.station_id, row.system_id, row.name) for row in universe.stations())


def _type(row: universe.ItemType) -> tuple[object, ...]:
    return (
        row.type_id,
        row.group_id,
        row.name,
        row.volume,
        row.volume if row.packaged_volume is None else row.packaged_volume,
        row.portion_size,
        row.market_group_id,
        row.meta_group_id,
    )
