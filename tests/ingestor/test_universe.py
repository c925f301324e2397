"""New Eden's unchanging parts, and what turned up since."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from common import tables, universe
from common.database import create_engine
from common.events import Dataset, IngestRequested
from common.ids import new_id
from ingestor.datasets.universe import ERRORS_AT_MOST
from ingestor.stores import universe as stored
from ingestor.stores.universe import Learnt
from support.databases import Databases, settings_for
from support.ingestion import NOON, Ingestion, contract, ingestion, whole_list
from support.scripted_esi import Asked, answer, listed, scripted_esi
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


async def test_what_says_nothing_new_is_not_written(offline: Ingestion) -> None:
    row = {"group_id": 999_999, "name": "New", "category_id": 6, "published": True}
    counted = []

    for name in ("New", "New", "Renamed", " ", "Re\x00named"):
        async with offline.engine.begin() as connection:
            counted.append(await stored.learn(connection, tables.groups, [{**row, "name": name}]))

    assert counted == [Learnt(1, 0), Learnt(0, 0), Learnt(0, 1), Learnt(0, 0), Learnt(0, 0)]
    assert await offline.value("SELECT name FROM groups WHERE group_id = 999999") == "Renamed"


async def test_players_structures_are_never_looked_up(offline: Ingestion) -> None:
    await offline.execute("DELETE FROM stations")
    for contract_id, location in enumerate((59_999_999, 60_000_000, 64_000_000, 64_000_001, 1_035_466_617_946)):
        await offline.merge(
            whole_list(
                contract(contract_id + 1, type="courier", start_location_id=location, end_location_id=location + 100),
                region_id=contract_id + 1,
            )
        )

    async with offline.engine.connect() as connection:
        found = await stored.unknown_stations(connection, 10)

    assert sorted(found) == [60_000_000, 60_000_099, 60_000_100, 64_000_000]


async def test_a_region_that_turned_up_is_learned(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    del esi
    before = await ingestor.rows("SELECT * FROM regions ORDER BY region_id")
    await ingestor.execute("DELETE FROM regions WHERE region_id = 10000002")
    run_id = new_id()

    await ingestor.deliver(IngestRequested(dataset=Dataset.UNIVERSE, run_id=run_id))

    assert await ingestor.rows("SELECT * FROM regions ORDER BY region_id") == before
    run = await ingestor.run(run_id)
    assert (run.state, run.listed) == ("succeeded", 1)


def static(**others: object) -> Callable[[Asked], bytes]:
    """A script for static routes: no regions but those we know, and `others` by the last two parts of their path."""

    def script(asked: Asked) -> bytes:
        if asked.target == "/universe/regions":
            return listed([10000002])
        said = others.get("_".join(asked.target.rsplit("/", 2)[1:]))
        return answer({"error": "not found"}, status=404) if said is None else answer(said)

    return script


async def hold(ingestor: Ingestion, *type_ids: int) -> None:
    """A live contract that offers items of `type_ids`."""
    await ingestor.merge(whole_list(contract(1, date_expired=NOON + timedelta(days=3650))))
    for type_id in type_ids:
        await ingestor.execute(
            "INSERT INTO contract_items (contract_id, record_id, type_id, quantity, is_included)"
            " VALUES (1, :type, :type, 1, true)",
            type=type_id,
        )


async def learn_all(ingestor: Ingestion, *, force: bool = False) -> Row[Any]:
    run_id = new_id()
    await ingestor.deliver(IngestRequested(dataset=Dataset.UNIVERSE, run_id=run_id, force=force))
    return await ingestor.run(run_id)


async def test_a_type_that_turned_up_comes_with_its_group_and_category(engine: AsyncEngine) -> None:
    script = static(
        types_900001={"type_id": 900001, "name": "Thing", "group_id": 900002, "volume": 5.0, "dogma_attributes": []},
        groups_900002={"group_id": 900002, "name": "Things", "category_id": 900003, "published": True, "types": []},
        categories_900003={"category_id": 900003, "name": "All", "published": True, "groups": []},
    )
    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await hold(ingestor, 900001)

        run = await learn_all(ingestor)

        assert (run.state, run.listed) == ("succeeded", 3)
        row = await ingestor.row(
            "SELECT t.name, g.name, c.name FROM types t JOIN groups g USING (group_id)"
            " JOIN categories c USING (category_id) WHERE type_id = 900001"
        )
        assert tuple(row) == ("Thing", "Things", "All")


async def test_a_degraded_answer_blanks_nothing(engine: AsyncEngine) -> None:
    degraded: dict[str, object] = {
        "types_34": {"type_id": 34, "name": " ", "group_id": 18},
        "types_35": {"type_id": 35, "name": "No group"},
        "types_36": {"type_id": 37, "name": "Of another type", "group_id": 18},
        "types_38": {"type_id": 38, "name": "Of an unknown group", "group_id": 987_654},
        "types_39": [39, "No object", 18],
        "types_40": "40",
        "types_11399": None,
        "groups_18": {"group_id": 18, "name": "", "category_id": 4, "published": True},
    }
    held = [34, 35, 36, 38, 39, 40, 11399]
    query = "SELECT * FROM types JOIN groups USING (group_id) WHERE type_id = ANY(:ids) ORDER BY type_id"
    async with scripted_esi(static(**degraded)) as esi, ingestion(engine, esi.url) as ingestor:
        before = await ingestor.rows(query, ids=held)
        await hold(ingestor, *held)

        run = await learn_all(ingestor)

        assert {f"/universe/{said.replace('_', '/')}" for said in degraded} <= set(esi.targets())
        assert (run.state, run.changed) == ("succeeded", 0)
        assert await ingestor.rows(query, ids=held) == before
        assert len(before) == len(held)


async def test_what_was_renamed_is_noticed_once_a_day(engine: AsyncEngine) -> None:
    script = static(types_34={"type_id": 34, "name": "Tritanium II", "group_id": 18, "volume": 0.01})
    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await hold(ingestor, 34)

        assert (await learn_all(ingestor)).changed == 1
        asked = len(esi.asked)
        await ingestor.execute("UPDATE upstream_responses SET expires_at = now() + interval '1 hour'")
        assert (await learn_all(ingestor)).fetched == 0
        assert len(esi.asked) == asked
        assert (await learn_all(ingestor, force=True)).fetched == 1

        assert await ingestor.value("SELECT name FROM types WHERE type_id = 34") == "Tritanium II"


async def test_each_type_on_the_market_has_its_turn_and_a_day_has_few(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1, date_expired=NOON + timedelta(days=3650))))
    await offline.execute(
        "INSERT INTO contract_items (contract_id, record_id, type_id, quantity, is_included)"
        " SELECT 1, type_id, type_id, 1, true FROM types ORDER BY type_id LIMIT 100"
    )
    days = []

    for day in range(5):
        query = stored.TODAYS_TYPES.text.replace("now() - interval", f"now() + interval '{day} days' - interval")
        days.append([row.id for row in await offline.rows(query, limit=23)])

    assert [len(day) for day in days if len(day) != 23] == [100 % 23]
    assert len({type_id for day in days for type_id in day}) == 100


async def test_ids_that_nobody_knows_cost_a_few_errors_and_delay_nobody(engine: AsyncEngine) -> None:
    async with scripted_esi(static()) as esi, ingestion(engine, esi.url) as ingestor:
        await hold(ingestor, *range(900_000, 900_050))

        run = await learn_all(ingestor)

        assert run.state == "succeeded"
        assert len(esi.asked) == 1 + ERRORS_AT_MOST


async def test_regions_that_are_no_list_put_the_run_off(engine: AsyncEngine) -> None:
    async with (
        scripted_esi(lambda _: listed({"regions": [1, 2], "next": 3})) as esi,
        ingestion(engine, esi.url) as ingestor,
    ):
        run = await learn_all(ingestor)

        assert (run.state, len(esi.asked)) == ("queued", 1)
