"""What is kept no longer: rolled up exactly once, removed exactly once, whatever is killed in between."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from common import tables
from common.events import Dataset, IngestRequested
from common.ids import new_id
from ingestor.datasets.history import History
from ingestor.esi.client import Traffic
from ingestor.stores.runs import Run
from support.ingestion import RETENTION, Ingestion
from support.killing import KilledError, killed_after
from support.market_rows import DOMAIN, MERLIN, RIFTER, THE_FORGE, MarketRows

NOW = datetime.now(UTC)
LONG_AGO = NOW - RETENTION - timedelta(days=3)
KINDS = (tables.contracts, tables.contract_items, tables.runs)
COPY: dict[str, Any] = {"is_blueprint_copy": True, "material_efficiency": 10, "time_efficiency": 20, "runs": 5}
STATISTICS = """
SELECT type_id, region_id, runs, contracts, accepted, lowest, p10, median, p90 FROM price_statistics
 ORDER BY type_id, region_id, runs
"""


@pytest.fixture
def rows(engine: AsyncEngine) -> MarketRows:
    return MarketRows(engine)


async def gone(rows: MarketRows, contract_id: int, *types: int, at: datetime = LONG_AGO, **columns: Any) -> None:
    """A contract that left the list, with one item of each of `types`."""
    plain = {"price": Decimal(100 * contract_id), "outcome": "unknown", **columns}
    await rows.contract(contract_id, delisted_at=at, **plain)
    for type_id in types:
        await rows.item(contract_id, type_id)


async def begun(ingestor: Ingestion) -> Run:
    run_id = new_id()
    run = Run(run_id, IngestRequested(dataset=Dataset.HISTORY, run_id=run_id))
    async with ingestor.engine.begin() as connection:
        await ingestor.runs.start(connection, run)
    return run


async def clear(ingestor: Ingestion, run: Run, *, batch: int = 2_000) -> None:
    """What the handler does with the run, to its end."""
    history = History(ingestor.engine, RETENTION, batch=batch)
    await history.read(run, Traffic())
    async with ingestor.engine.begin() as connection:
        stored = await history.store(connection, run, None)
        await ingestor.runs.listed(connection, run, stored.counts, stored.flaw)


async def test_a_day_behind_the_retention_becomes_statistics_and_everything_of_it_is_removed(
    offline: Ingestion, rows: MarketRows
) -> None:
    await gone(rows, 1, RIFTER, outcome="accepted")
    await gone(rows, 2, RIFTER)
    await gone(rows, 3, RIFTER, region_id=DOMAIN)
    await gone(rows, 4, MERLIN, RIFTER)
    await gone(rows, 5, type="auction", items_state="stored")
    await rows.execute("INSERT INTO bids VALUES (5, 1, 7, now())")
    for contract_id in (1, 6, 7):
        await rows.change(contract_id)
    await gone(rows, 6, type="courier", items_state="none")
    await gone(rows, 7, RIFTER, at=NOW - RETENTION + timedelta(days=1))
    await rows.contract(8)
    command = IngestRequested(dataset=Dataset.HISTORY, run_id=new_id())

    await offline.deliver(command)
    await offline.deliver(command)

    assert [tuple(row)[:5] for row in await offline.rows(STATISTICS)] == [
        (RIFTER, THE_FORGE, None, 2, 1),
        (RIFTER, DOMAIN, None, 1, 0),
    ]
    (forge, _) = await offline.rows(STATISTICS)
    assert tuple(forge)[5:] == (100, 110, 150, 190)
    left = await offline.rows("SELECT contract_id FROM contracts ORDER BY contract_id")
    assert [row.contract_id for row in left] == [7, 8]
    assert await offline.value("SELECT count(*) FROM bids") == 0
    assert [row[0] for row in await offline.rows("SELECT contract_id FROM contract_items")] == [7]
    assert [row[0] for row in await offline.rows("SELECT contract_id FROM contract_changes")] == [7]
    run = await offline.run(UUID(str(command.run_id)))
    assert (run.state, run.fetched, run.changed, run.attempts) == ("succeeded", 6, 6, 0)


async def test_only_what_tells_a_price_of_one_article_is_in_the_statistics(
    offline: Ingestion, rows: MarketRows
) -> None:
    await gone(rows, 1)
    await rows.item(1, RIFTER, quantity=4)
    await rows.item(1, RIFTER, quantity=6)
    await gone(rows, 2)
    await rows.item(2, MERLIN, **COPY)
    await gone(rows, 3)
    await rows.item(3, MERLIN, **COPY)
    await rows.item(3, MERLIN, **{**COPY, "runs": 9})
    await gone(rows, 4, RIFTER)
    await rows.item(4, MERLIN, offered=False)
    await gone(rows, 5, RIFTER, price=Decimal(0))
    await gone(rows, 6, RIFTER, price=None)
    await gone(rows, 7, RIFTER, type="auction")
    await gone(rows, 8, items_state="failed")

    await clear(offline, await begun(offline))

    assert [tuple(row) for row in await offline.rows(STATISTICS)] == [
        (RIFTER, THE_FORGE, None, 1, 0, 10, 10, 10, 10),
        (MERLIN, THE_FORGE, 5, 1, 0, 200, 200, 200, 200),
    ]
    assert await offline.value("SELECT contracts FROM rolled_up_days") == 8


async def market(ingestor: Ingestion, rows: MarketRows) -> None:
    """A day of two regions, more contracts than a batch holds, and a run as old; and all of it once more aside."""
    for number in range(1, 4):
        await gone(rows, number, RIFTER, outcome="accepted" if number % 2 else "unknown")
    await gone(rows, 4, RIFTER, region_id=DOMAIN)
    await rows.run(dataset="names", accepted_at=LONG_AGO)
    for table in KINDS:
        await ingestor.execute(f"CREATE TABLE saved_{table.name} AS SELECT {columns(table)} FROM {table.name}")  # noqa: S608 - our own names


async def restore(ingestor: Ingestion) -> None:
    await ingestor.execute("TRUNCATE price_statistics, rolled_up_days, runs")
    for table in KINDS:
        await ingestor.execute(f"INSERT INTO {table.name} ({columns(table)}) TABLE saved_{table.name}")


def columns(table: Table) -> str:
    """Those that can be written."""
    return ", ".join(column.name for column in table.columns if column.computed is None)


async def left(ingestor: Ingestion) -> tuple[object, ...]:
    row = await ingestor.row(
        """SELECT (SELECT count(*) FROM contracts), (SELECT count(*) FROM contract_items),
                  (SELECT sum(contracts) FROM rolled_up_days), state, fetched, changed FROM runs"""
    )
    return tuple(row)


async def test_wherever_it_is_killed_the_statistics_are_the_same_and_everything_is_removed_once(
    offline: Ingestion, rows: MarketRows
) -> None:
    await market(offline, rows)
    await clear(offline, await begun(offline), batch=2)
    expected = await offline.rows(STATISTICS)
    outcomes: list[tuple[object, object]] = []
    survived, killed = False, 0

    while not survived and killed < 80:
        await restore(offline)
        run = await begun(offline)
        survived = await survives(offline, run, killed)
        if not survived:
            await clear(offline, run, batch=2)
            killed += 1
        outcomes.append((await offline.rows(STATISTICS), await left(offline)))

    assert 20 < killed < 80
    assert outcomes == [(expected, (0, 0, 4, "succeeded", 5, 5))] * (killed + 1)


async def survives(ingestor: Ingestion, run: Run, statements: int) -> bool:
    try:
        with killed_after(ingestor.engine, statements):
            await clear(ingestor, run, batch=2)
    except KilledError:
        return False
    return True


async def test_a_straggler_of_a_day_that_is_rolled_up_is_removed_and_leaves_the_statistics_alone(
    offline: Ingestion, rows: MarketRows
) -> None:
    await gone(rows, 1, RIFTER)
    await clear(offline, await begun(offline))
    before = await offline.rows(STATISTICS)
    await gone(rows, 2, RIFTER, price=Decimal(1))

    await clear(offline, await begun(offline))

    assert await offline.rows(STATISTICS) == before
    assert await offline.value("SELECT count(*) FROM contracts") == 0


async def test_a_contract_whose_items_are_still_waited_for_is_left_until_that_is_settled(
    offline: Ingestion, rows: MarketRows
) -> None:
    await gone(rows, 1, items_state="wanted")
    await gone(rows, 2, RIFTER)

    await clear(offline, await begun(offline))

    assert [row[0] for row in await offline.rows("SELECT contract_id FROM contracts")] == [1]
    assert not await waiting(offline)


async def waiting(ingestor: Ingestion) -> bool:
    async with ingestor.engine.connect() as connection:
        return await History(ingestor.engine, RETENTION).waiting(connection)


async def test_old_runs_and_their_sweeps_go_but_none_that_somebody_refers_to(
    offline: Ingestion, rows: MarketRows
) -> None:
    old, fired, asked = [await rows.run(accepted_at=LONG_AGO) for _ in range(3)]
    under_way = await rows.run("running", accepted_at=LONG_AGO)
    young = await rows.run(accepted_at=NOW - RETENTION + timedelta(days=1))
    await rows.slot(fired)
    await rows.request(run_id=asked, accepted_at=LONG_AGO)
    for run_id in (old, young):
        await offline.execute(
            """INSERT INTO sweeps (run_id, region_id, generation, fresh_until, complete, pages, fetched, listed,
                                   changed, unchanged, rejected, delisted)
               VALUES (:run_id, 1, now(), now(), true, 1, 0, 0, 0, 0, 0, 0)""",
            run_id=run_id,
        )
    assert await waiting(offline)
    run = await begun(offline)

    await clear(offline, run, batch=1)

    assert not await waiting(offline)
    left = {row.run_id for row in await offline.rows("SELECT run_id FROM runs")}
    assert left == {fired, asked, under_way, young, run.run_id}
    assert [row.run_id for row in await offline.rows("SELECT run_id FROM sweeps")] == [young]


async def test_while_nothing_is_old_enough_nothing_waits_and_a_run_is_skipped(
    offline: Ingestion, rows: MarketRows
) -> None:
    await gone(rows, 1, RIFTER, at=NOW - RETENTION + timedelta(days=1))  # the day may change meanwhile
    await rows.contract(2)
    command = IngestRequested(dataset=Dataset.HISTORY, run_id=new_id())

    await offline.deliver(command)

    assert not await waiting(offline)
    assert (await offline.run(UUID(str(command.run_id)))).state == "skipped"
