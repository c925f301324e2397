"""Where contracts start and end, and how many jumps lie between."""

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from common import tables
from common.events import Dataset, IngestRequested
from common.ids import new_id
from ingestor.stores import places, universe
from support.ingestion import Ingestion, contract, ingestion, whole_list
from support.scripted_esi import Asked, answer, listed, scripted_esi

JITA, PERIMETER, AMARR, THERA, TAMA = 30000142, 30000144, 30002187, 31000005, 30002813
JITA_STATION, AMARR_STATION, THERA_STATION, TAMA_STATION = 60003760, 60008494, 60015148, 60005203
STRUCTURE = 1_035_466_617_946
PLACED = """
SELECT contract_id, system_id, security, end_system_id, jumps, jumps_high_security FROM contracts ORDER BY contract_id
"""


async def placed(ingestor: Ingestion) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await ingestor.rows(PLACED)]


async def marks(ingestor: Ingestion) -> list[Row[Any]]:
    """PostgreSQL's own mark of the transaction that wrote each row last."""
    return list(await ingestor.rows("SELECT contract_id, xmin::text FROM contracts ORDER BY contract_id"))


def courier(contract_id: int, start: int, end: int) -> Any:
    return contract(contract_id, type="courier", start_location_id=start, end_location_id=end)


async def test_a_new_contract_says_where_it_is_and_a_courier_how_far_it_goes(offline: Ingestion) -> None:
    await offline.merge(
        whole_list(
            contract(1),
            contract(2, start_location_id=STRUCTURE, end_location_id=JITA_STATION),
            contract(3, start_location_id=None, end_location_id=None),
            courier(4, JITA_STATION, AMARR_STATION),
            courier(5, JITA_STATION, JITA_STATION),
            courier(6, JITA_STATION, STRUCTURE),
            courier(7, THERA_STATION, JITA_STATION),
            courier(8, TAMA_STATION, JITA_STATION),
        )
    )

    assert await placed(offline) == [
        (1, JITA, "high", JITA, None, None),
        (2, None, None, JITA, None, None),
        (3, None, None, None, None, None),
        (4, JITA, "high", AMARR, 11, 45),
        (5, JITA, "high", JITA, 0, 0),
        (6, JITA, "high", None, None, None),
        (7, THERA, "wormhole", JITA, None, None),
        (8, TAMA, "low", JITA, 4, None),
    ]


async def test_a_station_that_is_learned_later_places_what_starts_and_ends_there(engine: AsyncEngine) -> None:
    def script(asked: Asked) -> bytes:
        if asked.target == "/universe/regions":
            return listed([10000002])
        if asked.target == f"/universe/stations/{AMARR_STATION}":
            return answer({"station_id": AMARR_STATION, "name": "Emperor Family Academy", "system_id": AMARR})
        return answer({"error": "not found"}, status=404)

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.execute("DELETE FROM stations WHERE station_id = :id", id=AMARR_STATION)
        await ingestor.merge(
            whole_list(courier(1, JITA_STATION, AMARR_STATION), contract(2, start_location_id=AMARR_STATION))
        )
        before = await placed(ingestor)

        await ingestor.deliver(IngestRequested(dataset=Dataset.UNIVERSE, run_id=new_id()))
        written = await marks(ingestor)
        await ingestor.deliver(IngestRequested(dataset=Dataset.UNIVERSE, run_id=new_id()))

        assert before == [(1, JITA, "high", None, None, None), (2, None, None, JITA, None, None)]
        assert await placed(ingestor) == [(1, JITA, "high", AMARR, 11, 45), (2, AMARR, "high", JITA, None, None)]
        assert await marks(ingestor) == written


async def test_what_an_older_release_stored_is_placed_when_the_packaged_copy_is_loaded(offline: Ingestion) -> None:
    await offline.merge(whole_list(courier(1, JITA_STATION, AMARR_STATION), courier(2, STRUCTURE, JITA_STATION)))
    known = await placed(offline)
    await offline.execute("UPDATE contracts SET system_id = NULL, security = NULL, end_system_id = NULL, jumps = NULL")
    await offline.execute("UPDATE universe_versions SET version = 'older'")

    async with offline.engine.begin() as connection:
        await universe.load_packaged(connection)

    assert await placed(offline) == known


async def test_a_stargate_that_leads_elsewhere_counts_jumps_anew(offline: Ingestion) -> None:
    await offline.merge(whole_list(courier(1, JITA_STATION, AMARR_STATION)))
    gates = tables.stargates.insert().values([(JITA, AMARR), (AMARR, JITA)])

    async with offline.engine.begin() as connection:
        await connection.execute(gates)
        await places.renew(connection)
        unasked = (await connection.exec_driver_sql("SELECT jumps FROM contracts")).scalar_one()
        await places.renew(connection, ways=True)

    assert unasked == 11
    assert await placed(offline) == [(1, JITA, "high", AMARR, 1, 1)]


async def test_a_station_that_is_lost_blanks_nothing(offline: Ingestion) -> None:
    await offline.merge(whole_list(courier(1, JITA_STATION, AMARR_STATION)))
    known = await placed(offline)

    async with offline.engine.begin() as connection:
        await connection.exec_driver_sql("DELETE FROM stations")
        await places.renew(connection, ways=True)

    assert await placed(offline) == known
