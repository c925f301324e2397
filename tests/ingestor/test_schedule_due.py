"""Slots become work, and what was left unfinished is found by its rows."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from common.errors import SetAsideError
from common.events import Dataset, IngestRequested, ItemsWanted, RunAccepted, RunFinished, ScheduleDue, Scope
from common.ids import new_id
from ingestor.domain.retrying import MAX_RUN_ATTEMPTS
from ingestor.stores.runs import Run
from support.ingestion import NOON, REGION, Ingestion, contract, whole_list

RECONCILE = ScheduleDue(schedule_id="reconcile", slot_at=NOON, action="reconcile")
WISH = IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=REGION))


async def queued(ingestor: Ingestion) -> UUID:
    run_id = new_id()
    async with ingestor.engine.begin() as connection:
        await ingestor.runs.queue(connection, Run(run_id, WISH), source="schedule")
    return run_id


async def sent_again(ingestor: Ingestion) -> list[UUID | None]:
    """Runs whose commands a reconciliation sends."""
    await ingestor.deliver(RECONCILE)
    return [command.run_id for command in await ingestor.take(IngestRequested)]


async def items_sent_again(ingestor: Ingestion) -> list[int]:
    await ingestor.deliver(RECONCILE)
    return [number for chunk in await ingestor.take(ItemsWanted) for number in chunk.contract_ids]


async def test_a_slot_becomes_a_queued_run_and_one_command(offline: Ingestion) -> None:
    slot = ScheduleDue(
        schedule_id="contracts:10000002",
        slot_at=NOON,
        action="ingest",
        run_id=new_id(),
        dataset=Dataset.CONTRACTS,
        scope=Scope(region_id=REGION),
    )

    await offline.deliver(slot, times=3)

    run = await offline.row("SELECT * FROM runs")
    assert (run.run_id, run.state, run.source, run.scope) == (
        slot.run_id,
        "queued",
        "schedule",
        {"region_id": REGION},
    )
    (command,) = await offline.sent(IngestRequested)
    assert (command.run_id, command.scope, command.force) == (slot.run_id, slot.scope, False)
    assert len(await offline.sent(RunAccepted)) == 1


async def test_a_slot_that_names_no_run_is_set_aside(offline: Ingestion) -> None:
    with pytest.raises(SetAsideError):
        await offline.deliver(ScheduleDue(schedule_id="x", slot_at=NOON, action="ingest"))


async def test_a_request_that_no_ingestor_has_seen_is_adopted(offline: Ingestion) -> None:
    old, young = new_id(), new_id()
    for run_id, age in ((old, timedelta(minutes=1)), (young, timedelta(seconds=1))):
        await offline.execute(
            "INSERT INTO ingest_requests (run_id, dataset, scope, force, accepted_at)"
            " VALUES (:id, 'contracts', '{\"region_id\": 10000002}', true, now() - cast(:age AS interval))",
            id=run_id,
            age=age,
        )

    await offline.deliver(RECONCILE)

    (command,) = await offline.take(IngestRequested)
    assert (command.run_id, command.force, command.scope.region_id) == (old, True, REGION)
    run = await offline.row("SELECT * FROM runs")
    assert (run.run_id, run.state, run.source) == (old, "queued", "api")
    assert await sent_again(offline) == []


async def test_a_fired_slot_without_a_run_is_adopted(offline: Ingestion) -> None:
    run_id = new_id()
    await offline.execute(
        "INSERT INTO schedules (schedule_id, name, kind, every_seconds, offset_seconds, action, dataset, scope,"
        " overlap, next_due_at) VALUES"
        " ('c', 'c', 'interval', 60, 0, 'ingest', 'contracts', '{\"region_id\": 10000002}', 'skip', now())"
    )
    await offline.execute(
        "INSERT INTO schedule_slots (schedule_id, slot_at, fate, decided_at, lateness_ms, run_id)"
        " VALUES ('c', now(), 'fired', now() - interval '1 minute', 0, :id)",
        id=run_id,
    )

    assert await sent_again(offline) == [run_id]
    assert (await offline.run(run_id)).source == "schedule"


async def test_what_is_committed_after_a_look_that_it_is_older_than_is_adopted_by_the_next(offline: Ingestion) -> None:
    assert await sent_again(offline) == []
    run_id = new_id()
    await offline.execute(
        "INSERT INTO ingest_requests (run_id, dataset, scope, force, accepted_at)"
        " VALUES (:id, 'universe', '{}', false, now() - interval '9 minutes')",
        id=run_id,
    )

    assert await sent_again(offline) == [run_id]


async def test_a_slot_without_a_run_is_adopted_as_what_its_schedule_was_then_though_that_is_deleted(
    offline: Ingestion,
) -> None:
    run_id = new_id()
    definition = '{"name": "c", "kind": "interval", "dataset": "contracts", "scope": {"region_id": 10000002}}'
    await offline.execute(
        "INSERT INTO schedule_versions (schedule_id, version, from_at, definition) VALUES"
        " ('c', 1, now() - interval '1 hour', CAST(:definition AS jsonb)), ('c', 2, now(), NULL)",
        definition=definition,
    )
    await offline.execute(
        "INSERT INTO schedule_slots (schedule_id, slot_at, fate, decided_at, lateness_ms, run_id)"
        " VALUES ('c', now(), 'fired', now() - interval '1 minute', 0, :id)",
        id=run_id,
    )

    assert await sent_again(offline) == [run_id]


async def test_an_overdue_run_is_sent_again_once_and_not_before_it_is_due(offline: Ingestion) -> None:
    run_id = await queued(offline)
    assert await sent_again(offline) == []

    await offline.execute("UPDATE runs SET due_at = now()")

    assert await sent_again(offline) == [run_id]
    assert await sent_again(offline) == []


async def test_overdue_items_are_sent_again_once_and_not_before_they_are_due(offline: Ingestion) -> None:
    numbers = list(range(1, 121))
    await offline.merge(whole_list(*(contract(number) for number in numbers)))
    await offline.take(ItemsWanted)
    assert await items_sent_again(offline) == []

    await offline.execute("UPDATE contracts SET items_due_at = now() WHERE contract_id <= 110")

    assert await items_sent_again(offline) == numbers[:110]
    assert await items_sent_again(offline) == []


async def test_after_the_broker_lost_its_memory_everything_unfinished_is_sent_at_once_and_once(
    offline: Ingestion,
) -> None:
    run_id = await queued(offline)
    await offline.merge(whole_list(contract(1)))
    await offline.take(ItemsWanted)
    await offline.execute("INSERT INTO broker_epochs (topics) VALUES ('{}')")
    await offline.execute(
        "INSERT INTO ingest_requests (run_id, dataset, scope, force, accepted_at)"
        " VALUES (gen_random_uuid(), 'universe', '{}', false, now() - interval '1 second')"
    )
    await offline.execute("UPDATE broker_epochs SET started_at = now()")

    await offline.deliver(RECONCILE)

    commands = await offline.take(IngestRequested)
    assert run_id in {command.run_id for command in commands}
    assert {command.dataset for command in commands} >= {Dataset.CONTRACTS, Dataset.UNIVERSE}
    assert [chunk.contract_ids for chunk in await offline.take(ItemsWanted)] == [(1,)]
    assert await sent_again(offline) == []
    assert await items_sent_again(offline) == []


async def test_two_reconciliations_at_once_send_nothing_twice(offline: Ingestion) -> None:
    run_ids = {await queued(offline) for _ in range(10)}
    await offline.merge(whole_list(*(contract(number) for number in range(1, 60))))
    await offline.take(ItemsWanted)
    await offline.execute("UPDATE runs SET due_at = now()")
    await offline.execute("UPDATE contracts SET items_due_at = now()")
    await offline.execute("UPDATE names SET due_at = NULL")

    await asyncio.gather(*(offline.deliver(RECONCILE, times=1) for _ in range(5)))

    commands = [command.run_id for command in await offline.take(IngestRequested)]
    assert len(commands) == len(run_ids)
    assert set(commands) == run_ids
    asked = [number for chunk in await offline.take(ItemsWanted) for number in chunk.contract_ids]
    assert sorted(asked) == list(range(1, 60))


async def test_a_run_in_hand_that_never_ended_is_given_up_after_its_attempts(offline: Ingestion) -> None:
    run_id = await queued(offline)
    await offline.execute("UPDATE runs SET state = 'running', due_at = now(), attempts = :most", most=MAX_RUN_ATTEMPTS)

    assert await sent_again(offline) == []

    run = await offline.run(run_id)
    assert (run.state, run.reason) == ("failed", f"gave up after {MAX_RUN_ATTEMPTS} attempts")
    assert [event.run_id for event in await offline.sent(RunFinished)] == [run_id]


async def test_a_run_that_waits_for_its_items_is_not_sent_again(offline: Ingestion) -> None:
    await queued(offline)
    await offline.execute("UPDATE runs SET state = 'running', listed_at = now(), due_at = now() - interval '1 day'")

    assert await sent_again(offline) == []


async def test_names_that_are_due_are_asked_for_by_one_run_at_a_time(offline: Ingestion) -> None:
    await offline.execute("INSERT INTO names (entity_id, due_at) VALUES (90000001, now())")

    (first,) = await sent_again(offline)
    assert await sent_again(offline) == []

    await offline.execute("UPDATE runs SET state = 'failed', finished_at = now()")
    assert await sent_again(offline) == []
    await offline.execute("UPDATE runs SET finished_at = now() - interval '11 minutes'")
    (second,) = await sent_again(offline)
    assert first != second
    assert await offline.value("SELECT source FROM runs WHERE run_id = :id", id=second) == "ingestor"


async def test_deliveries_that_cannot_come_again_are_forgotten(offline: Ingestion) -> None:
    await offline.execute(
        "INSERT INTO inbox (consumer, event_id, handled_at) VALUES"
        " ('ingestor', gen_random_uuid(), now() - interval '9 days'),"
        " ('ingestor', gen_random_uuid(), now() - interval '6 days')"
    )

    await offline.deliver(RECONCILE)

    assert await offline.value("SELECT count(*) FROM inbox WHERE handled_at < now() - interval '1 day'") == 1
