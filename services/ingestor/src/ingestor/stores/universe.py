"""New Eden's unchanging parts: the packaged copy, and what turned up since."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Table, func, select
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
    stations,
    systems,
    types,
    universe_versions,
)

Records = Iterator[tuple[object, ...]]

FIRST_STATION, LAST_STATION = 60_000_000, 64_000_000
"""Stations of the game's own corporations; other locations are players' structures, which nobody may look up."""


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
    return True


async def unknown_types(connection: AsyncConnection, type_ids: Sequence[int]) -> list[int]:
    """Those of `type_ids` that lack a description, or whose group does."""
    described = select(types.c.type_id).join(groups, groups.c.group_id == types.c.group_id)
    rows = await connection.scalars(described.where(types.c.type_id.in_(type_ids)))
    return sorted(set(type_ids) - set(rows))


async def unknown_groups(connection: AsyncConnection, group_ids: Sequence[int]) -> list[int]:
    rows = await connection.scalars(select(groups.c.group_id).where(groups.c.group_id.in_(group_ids)))
    return sorted(set(group_ids) - set(rows))


async def unknown_held_types(connection: AsyncConnection, limit: int) -> list[int]:
    """Types that contracts hold and nobody has described yet."""
    query = (
        select(contract_items.c.type_id)
        .distinct()
        .where(~select(types.c.type_id).where(types.c.type_id == contract_items.c.type_id).exists())
        .limit(limit)
    )
    return list(await connection.scalars(query))


async def unknown_stations(connection: AsyncConnection, limit: int) -> list[int]:
    """Stations where contracts are and that nobody has described yet; players' structures are left out."""
    query = (
        select(contracts.c.start_location_id)
        .distinct()
        .where(
            contracts.c.start_location_id.between(FIRST_STATION, LAST_STATION),
            ~select(stations.c.station_id).where(stations.c.station_id == contracts.c.start_location_id).exists(),
        )
        .limit(limit)
    )
    return [station_id for station_id in await connection.scalars(query) if station_id is not None]


async def known_regions(connection: AsyncConnection) -> set[int]:
    return set(await connection.scalars(select(regions.c.region_id)))


async def learn(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Add or renew rows of a universe table, keyed by its primary key."""
    if not rows:
        return
    statement = insert(table).values(list(rows))
    keys = [column.name for column in table.primary_key]
    renewed = {name: func.coalesce(statement.excluded[name], table.c[name]) for name in rows[0] if name not in keys}
    await connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=renewed))


async def _upsert(raw: Any, table: Table, records: Records) -> None:
    columns = [column.name for column in table.columns]
    stage = f"packaged_{table.name}"
    key, rest = columns[0], columns[1:]
    await raw.execute(f"CREATE TEMPORARY TABLE {stage} (LIKE {table.name}) ON COMMIT DROP")
    await raw.copy_records_to_table(stage, records=list(records), columns=columns)
    renewed = ", ".join(f"{name} = excluded.{name}" for name in rest)
    await raw.execute(
        f"INSERT INTO {table.name} SELECT * FROM {stage} ORDER BY 1 ON CONFLICT ({key}) DO UPDATE SET {renewed}"  # noqa: S608 - our own names
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
