"""New Eden's unchanging parts, and what turned up since."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common import tables, universe
from common.database import create_engine
from common.events import Dataset, IngestRequested
from common.ids import new_id
from ingestor.stores import universe as stored
from support.databases import Databases, settings_for
from support.ingestion import Ingestion, ingestion
from support.simulated_esi import SimulatedEsi


@pytest.fixture
def empty_url(databases: Databases) -> Iterator[str]:
    with databases.fresh("migrated") as url:
        yield url


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[AsyncEngine]:
    """A migrated database without New Eden."""
    engine = create_engine(settings_for(empty_url), service="test")
    yield engine
    await engine.dispose()


async def test_the_packaged_copy_is_loaded_once_and_whole(empty: AsyncEngine) -> None:
    async with empty.begin() as connection:
        first = await stored.load_packaged(connection)
    async with empty.begin() as connection:
        second = await stored.load_packaged(connection)

    assert (first, second) == (True, False)
    async with ingestion(empty) as ingestor:
        for table, packaged in (("types", universe.types), ("regions", universe.regions), ("groups", universe.groups)):
            assert await ingestor.value(f"SELECT count(*) FROM {table}") == sum(1 for _ in packaged())  # noqa: S608 - our names


async def test_another_version_of_the_copy_renews_and_removes_nothing(offline: Ingestion) -> None:
    await offline.execute("UPDATE types SET name = 'old' WHERE type_id = 34")
    await offline.execute("INSERT INTO types (type_id, group_id, name) VALUES (999999999, 18, 'learned')")
    await offline.execute("UPDATE universe_versions SET version = 'older'")

    async with offline.engine.begin() as connection:
        assert await stored.load_packaged(connection)

    names = await offline.rows("SELECT name FROM types WHERE type_id IN (34, 999999999) ORDER BY type_id")
    assert [row.name for row in names] == ["Tritanium", "learned"]


async def test_learning_again_with_less_blanks_nothing(offline: Ingestion) -> None:
    whole = {"type_id": 999, "name": "New", "group_id": 18, "volume": 2.0, "portion_size": 1, "market_group_id": 7}
    bare = {**whole, "name": "Newer", "volume": None, "portion_size": None, "market_group_id": None}

    for row in (whole, bare, bare):
        async with offline.engine.begin() as connection:
            await stored.learn(connection, tables.types, [row])

    kept = await offline.row("SELECT name, volume, portion_size, market_group_id FROM types WHERE type_id = 999")
    assert tuple(kept) == ("Newer", 2.0, 1, 7)


async def test_players_structures_are_never_looked_up(offline: Ingestion) -> None:
    await offline.execute("DELETE FROM stations")
    for contract_id, location in enumerate((59_999_999, 60_000_000, 64_000_000, 64_000_001, 1_035_466_617_946)):
        await offline.execute(
            "INSERT INTO contracts (contract_id, region_id, type, issuer_id, issuer_corporation_id, for_corporation,"
            " date_issued, date_expired, start_location_id, items_state)"
            " VALUES (:id, 1, 'courier', 1, 1, false, now(), now(), :location, 'none')",
            id=contract_id + 1,
            location=location,
        )

    async with offline.engine.connect() as connection:
        found = await stored.unknown_stations(connection, 10)

    assert sorted(found) == [60_000_000, 64_000_000]


async def test_a_region_that_turned_up_is_learned(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    del esi
    before = await ingestor.rows("SELECT * FROM regions ORDER BY region_id")
    await ingestor.execute("DELETE FROM regions WHERE region_id = 10000002")
    run_id = new_id()

    await ingestor.deliver(IngestRequested(dataset=Dataset.UNIVERSE, run_id=run_id))

    assert await ingestor.rows("SELECT * FROM regions ORDER BY region_id") == before
    run = await ingestor.run(run_id)
    assert (run.state, run.listed) == ("succeeded", 1)
