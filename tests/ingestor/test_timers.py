"""What is put off sets a timer, few of them however much that is, and what a timer tells finds the rows."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from common.events import Dataset, IngestRequested, ItemsWanted, ScheduleDue, Scope
from common.ids import new_id
from ingestor.stores import timers
from support.ingestion import NOON, REGION, Ingestion, contract, whole_list

PAUSE = 60.0


def reminder(dataset: Dataset) -> ScheduleDue:
    return ScheduleDue(
        schedule_id=f"deferred:{dataset}", slot_at=datetime.now(UTC), action="reconcile", dataset=dataset
    )


async def waits(ingestor: Ingestion) -> list[tuple[str, float]]:
    """Timers, the first to come first, with the seconds until then."""
    rows = await ingestor.rows(
        "SELECT dataset, extract(epoch FROM due_at - now())::float8 AS seconds FROM timers ORDER BY due_at"
    )
    return [(row.dataset, row.seconds) for row in rows]


async def test_a_run_that_is_put_off_is_sent_again_when_its_timer_tells(offline: Ingestion) -> None:
    offline.esi.governor.pause(PAUSE, "a test's")
    wish = IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=REGION), run_id=new_id())
    await offline.deliver(wish)

    ((dataset, seconds),) = await waits(offline)
    assert dataset == "contracts"
    assert PAUSE - 2 < seconds < PAUSE + 1
    await offline.deliver(reminder(Dataset.CONTRACTS))
    assert await offline.take(IngestRequested) == []

    await offline.execute("UPDATE runs SET due_at = now()")
    await offline.deliver(reminder(Dataset.PRICES))
    assert await offline.take(IngestRequested) == []
    await offline.deliver(reminder(Dataset.CONTRACTS))
    await offline.deliver(reminder(Dataset.CONTRACTS))
    assert [command.run_id for command in await offline.take(IngestRequested)] == [wish.run_id]


async def test_a_run_that_was_tried_too_often_ends_when_its_timer_tells(offline: Ingestion) -> None:
    run_id = new_id()
    await offline.execute(
        "INSERT INTO runs (run_id, dataset, scope, source, state, attempts, due_at)"
        " VALUES (:id, 'prices', '{}', 'schedule', 'queued', 20, now())",
        id=run_id,
    )

    await offline.deliver(reminder(Dataset.PRICES))

    assert (await offline.run(run_id)).state == "failed"
    assert await offline.sent(IngestRequested) == []


async def test_hundreds_of_contracts_that_a_pause_puts_off_set_a_few_timers_and_fall_due_as_one(
    offline: Ingestion,
) -> None:
    numbers = list(range(1, 601))
    await offline.merge(whole_list(*(contract(number) for number in numbers)))
    chunks = await offline.take(ItemsWanted)
    assert await waits(offline) == []  # a first load puts nothing off
    offline.esi.governor.pause(PAUSE, "a test's")

    await asyncio.gather(*(offline.deliver(chunk) for chunk in chunks))

    found = await waits(offline)
    assert len(chunks) == 3
    assert 1 <= len(found) <= len(chunks)
    assert all(dataset == "items" and PAUSE - 3 < seconds < PAUSE + 1 for dataset, seconds in found)
    latest = await offline.value("SELECT max(due_at) FROM timers")
    assert await offline.value("SELECT max(items_due_at) FROM contracts") <= latest
    await offline.execute("UPDATE contracts SET items_due_at = now()")
    await offline.deliver(reminder(Dataset.ITEMS))
    asked = [number for chunk in await offline.take(ItemsWanted) for number in chunk.contract_ids]
    assert sorted(asked) == numbers
    await offline.deliver(reminder(Dataset.ITEMS))
    assert await offline.take(ItemsWanted) == []


async def test_chunks_that_fall_due_together_share_a_timer(offline: Ingestion) -> None:
    for _ in range(20):
        async with offline.engine.begin() as connection:
            await timers.put_off(connection, Dataset.ITEMS, [timedelta(seconds=30), timedelta(seconds=30.001)])

    assert len(await waits(offline)) <= 8


async def test_one_that_puts_off_waits_for_no_other_that_has_not_committed(offline: Ingestion) -> None:
    pauses = [timedelta(milliseconds=100 * number) for number in range(40)]
    async with asyncio.timeout(5), offline.engine.connect() as one, offline.engine.connect() as other:
        for _ in range(2):
            await timers.put_off(one, Dataset.ITEMS, pauses)
            await timers.put_off(other, Dataset.ITEMS, pauses)
        await other.commit()
        await one.commit()


async def test_contracts_that_are_gone_are_asked_about_seconds_later_and_for_wanted_items_at_once(
    offline: Ingestion,
) -> None:
    await offline.merge(whole_list(contract(1), contract(2, type="courier")))
    await offline.execute("UPDATE names SET due_at = NULL")
    await offline.merge(whole_list(contract(2, type="courier"), at=NOON + timedelta(minutes=30)))

    assert [dataset for dataset, _ in await waits(offline)] == ["items", "outcomes"]
    await offline.deliver(reminder(Dataset.OUTCOMES))
    assert await offline.take(IngestRequested) == []

    await offline.execute("UPDATE contracts SET outcome_due_at = now() WHERE outcome_due_at IS NOT NULL")
    await offline.deliver(reminder(Dataset.OUTCOMES))
    await offline.deliver(reminder(Dataset.OUTCOMES))
    assert [command.dataset for command in await offline.take(IngestRequested)] == [Dataset.OUTCOMES]
    await offline.deliver(reminder(Dataset.ITEMS))
    assert [chunk.contract_ids for chunk in await offline.take(ItemsWanted)] == [(1,)]


@pytest.mark.parametrize("pauses", [[], [timedelta(seconds=5), timedelta(minutes=5), timedelta(days=1)]])
async def test_each_pause_has_a_timer_within_a_moment_after_it(offline: Ingestion, pauses: list[timedelta]) -> None:
    async with offline.engine.begin() as connection:
        await timers.put_off(connection, Dataset.NAMES, pauses)

    found = [seconds for _, seconds in await waits(offline)]
    assert len(found) == len(pauses)
    for seconds, pause in zip(found, [each.total_seconds() for each in pauses], strict=True):
        assert -1 < seconds - pause <= max(0.25, pause / 240)


async def test_timers_stay_few_while_no_scheduler_takes_them_out(offline: Ingestion) -> None:
    pauses = [timedelta(seconds=seconds) for seconds in (0, 1, 60, 600)]
    for _ in range(30):
        async with offline.engine.begin() as connection:
            await timers.put_off(connection, Dataset.BIDS, pauses)
            await timers.put_off(connection, Dataset.NAMES, [timedelta()])
        await offline.execute("UPDATE timers SET due_at = due_at - interval '5 minutes'")

    counts = {row.dataset: row.n for row in await offline.rows("SELECT dataset, count(*) AS n FROM timers GROUP BY 1")}
    assert counts["bids"] <= 2 * len(pauses)
    assert 1 <= counts["names"] <= 2


async def test_what_comes_due_during_a_run_of_its_backlog_is_looked_at_again_until_that_is_over(
    offline: Ingestion,
) -> None:
    run_id = new_id()
    await offline.execute("INSERT INTO names (entity_id, due_at) VALUES (90000001, now())")
    await offline.execute(
        "INSERT INTO runs (run_id, dataset, scope, source, state, started_at)"
        " VALUES (:id, 'names', '{}', 'ingestor', 'running', now())",
        id=run_id,
    )

    await offline.deliver(reminder(Dataset.NAMES))

    assert await offline.take(IngestRequested) == []
    ((dataset, seconds),) = await waits(offline)
    assert (dataset, seconds < 1.5) == ("names", True)
    await offline.execute("DELETE FROM timers")
    await offline.execute("UPDATE runs SET state = 'succeeded', finished_at = now() WHERE run_id = :id", id=run_id)
    await offline.deliver(reminder(Dataset.NAMES))
    assert [command.dataset for command in await offline.take(IngestRequested)] == [Dataset.NAMES]
    assert await waits(offline) == []
