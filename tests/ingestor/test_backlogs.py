"""Datasets that know by their own rows when something is due."""

from datetime import timedelta

from common.events import Dataset, IngestRequested, ScheduleDue
from ingestor.stores import dynamic_items
from support.ingestion import NOON, Ingestion, contract, whole_list

FUTURE = NOON + timedelta(days=3650)
BACKLOGS = {"bids", "outcomes", "dynamic_items", "names"}


async def reconcile(ingestor: Ingestion) -> list[str]:
    """The datasets that were queued, of those that are looked at here."""
    await ingestor.deliver(ScheduleDue(schedule_id="reconcile", slot_at=NOON, action="reconcile"))
    asked = await ingestor.take(IngestRequested)
    return sorted(command.dataset for command in asked if command.dataset in BACKLOGS)


async def test_what_is_due_is_queued_once_and_nothing_that_is_not(offline: Ingestion) -> None:
    assert await reconcile(offline) == []

    auction, other = contract(1, type="auction", date_expired=FUTURE), contract(3, date_expired=FUTURE)
    await offline.merge(whole_list(auction, contract(2, date_expired=FUTURE), other))
    await offline.merge(whole_list(auction, other, at=NOON + timedelta(minutes=30)))
    await offline.execute("UPDATE contracts SET outcome_due_at = now() WHERE outcome_due_at IS NOT NULL")
    async with offline.engine.begin() as connection:
        await dynamic_items.want(connection, [(7, 47702, 1)])

    assert await reconcile(offline) == sorted(BACKLOGS)
    assert await reconcile(offline) == []


async def test_what_is_due_waits_while_its_part_of_the_minute_is_spent(offline: Ingestion) -> None:
    spent = {"bids": "rejected", "outcomes": "fetched", "dynamic_items": "rejected", "names": "upstream_requests"}
    await offline.merge(whole_list(contract(1, type="auction", date_expired=FUTURE)))
    async with offline.engine.begin() as connection:
        await dynamic_items.want(connection, [(7, 47702, 1)])
    for dataset, count in spent.items():
        await offline.execute(
            f"INSERT INTO runs (run_id, dataset, scope, source, state, finished_at, {count})"  # noqa: S608 - our names
            " VALUES (gen_random_uuid(), :dataset, '{}', 'ingestor', 'partial', now(), 1000)",
            dataset=dataset,
        )

    assert await reconcile(offline) == []
    await offline.execute("UPDATE runs SET finished_at = now() - interval '61 seconds'")
    assert await reconcile(offline) == [Dataset.BIDS, Dataset.DYNAMIC_ITEMS, Dataset.NAMES]
