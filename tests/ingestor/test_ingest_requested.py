"""A command becomes a run, from the message to its end."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.errors import AlreadyHandledError
from common.events import (
    Dataset,
    IngestRequested,
    ItemsWanted,
    RunFinished,
    RunProgressed,
    RunStarted,
    ScheduleDue,
    Scope,
)
from common.ids import new_id
from common.messaging.delivery import Delivery
from common.telemetry import continued
from ingestor.datasets import Stored
from ingestor.domain.retrying import MAX_RUN_ATTEMPTS
from ingestor.esi.client import Traffic
from ingestor.handlers.ingest_requested import IngestRequestedHandler
from ingestor.stores.runs import Run
from support.ingestion import NOON, NOWHERE, Ingestion, ingestion
from support.scripted_esi import Asked, answer, listed, scripted_esi
from support.simulated_esi import SimulatedEsi

HEIMATAR = 10000030
RECONCILE = ScheduleDue(schedule_id="reconcile", slot_at=NOON, action="reconcile")


def command(region_id: int = HEIMATAR, *, force: bool = False, run_id: UUID | None = None) -> IngestRequested:
    return IngestRequested(
        dataset=Dataset.CONTRACTS, scope=Scope(region_id=region_id), run_id=run_id or new_id(), force=force
    )


async def state(ingestor: Ingestion, wish: IngestRequested) -> str:
    assert wish.run_id is not None
    return str((await ingestor.run(wish.run_id)).state)


def requests(esi: SimulatedEsi) -> int:
    return int(esi.get("/_simulator/stats").content["total"])


async def carry_out_items(ingestor: Ingestion) -> None:
    await asyncio.gather(*(ingestor.deliver(chunk) for chunk in await ingestor.take(ItemsWanted)))


async def test_a_command_brings_the_whole_region_and_its_run_succeeds(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    wish = command()

    await ingestor.deliver(wish)
    await carry_out_items(ingestor)

    truth = esi.truth(HEIMATAR)
    live = await ingestor.rows("SELECT contract_id FROM contracts WHERE delisted_at IS NULL ORDER BY 1")
    assert [row.contract_id for row in live] == [row["contract_id"] for row in truth["listed"]]
    assert await ingestor.value("SELECT count(*) FROM contract_items") == sum(map(len, truth["items"].values()))
    assert await state(ingestor, wish) == "succeeded"
    (finished,) = await ingestor.sent(RunFinished)
    counts = finished.counts
    assert counts.fetched == counts.listed + counts.changed + counts.unchanged + counts.rejected == len(live)
    assert counts.items_wanted == counts.items_done
    assert finished.fresh_until is not None
    assert [event.attempt for event in await ingestor.sent(RunStarted)] == [1]
    assert len(await ingestor.sent(RunProgressed)) == 1


async def test_a_list_that_cannot_be_newer_yet_is_skipped_without_asking_upstream(
    ingestor: Ingestion, esi: SimulatedEsi
) -> None:
    await ingestor.deliver(command())
    asked, again, forced = requests(esi), command(), command(force=True)

    await ingestor.deliver(again)
    assert requests(esi) == asked
    await ingestor.deliver(forced)

    assert requests(esi) == asked + 1
    assert await state(ingestor, again) == "skipped"
    assert "nothing newer" in (await ingestor.run(again.run_id or new_id())).reason
    assert await state(ingestor, forced) == "succeeded"


async def test_a_redelivery_of_a_finished_run_does_nothing(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    wish = command(force=True)
    await ingestor.deliver(wish)
    await carry_out_items(ingestor)
    asked, told = requests(esi), await ingestor.value("SELECT count(*) FROM outbox")

    await ingestor.deliver(wish)

    assert requests(esi) == asked
    assert await ingestor.value("SELECT count(*) FROM outbox") == told


async def test_a_command_without_a_run_gets_one_that_every_delivery_shares(ingestor: Ingestion) -> None:
    message_id = new_id()
    plain = IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=HEIMATAR))

    await ingestor.deliver(plain, message_id=message_id)

    assert await ingestor.value("SELECT source FROM runs WHERE dataset = 'contracts'") == "kafka"


async def test_a_region_that_upstream_does_not_know_fails_with_upstreams_words(ingestor: Ingestion) -> None:
    wish = command(99)

    await ingestor.deliver(wish)

    run = await ingestor.run(wish.run_id or new_id())
    assert (run.state, run.reason) == ("failed", "ESI answered 404: Region not found")
    assert len(await ingestor.sent(RunFinished)) == 1


async def test_a_refusal_with_unstorable_words_still_fails_the_run(engine: AsyncEngine) -> None:
    refusal = answer({"error": "no \x00 region"}, status=404)
    async with scripted_esi(lambda _: refusal) as esi, ingestion(engine, esi.url) as ingestor:
        wish = command()

        await ingestor.deliver(wish)

        assert await state(ingestor, wish) == "failed"


async def test_a_list_with_an_unreadable_row_makes_the_run_partial_and_says_why(engine: AsyncEngine) -> None:
    row = {
        "contract_id": 1,
        "type": "courier",
        "date_issued": "2026-10-31T12:00:00Z",
        "date_expired": "2036-11-28T12:00:00Z",
        "issuer_id": 90000001,
        "issuer_corporation_id": 98000001,
    }
    async with scripted_esi(lambda _: listed([row, {}])) as esi, ingestion(engine, esi.url) as ingestor:
        wish = command()

        await ingestor.deliver(wish)

        run = await ingestor.run(wish.run_id or new_id())
        assert (run.state, run.reason, run.rejected) == ("partial", "some rows could not be read", 1)


async def test_upstream_down_puts_the_run_off_and_the_reconciliation_takes_it_up(
    ingestor: Ingestion, esi: SimulatedEsi
) -> None:
    wish = command()
    esi.control("faults", down=True)
    await ingestor.deliver(wish)
    run = await ingestor.run(wish.run_id or new_id())
    assert (run.state, run.attempts) == ("queued", 1)
    assert "503" in run.reason
    assert run.due_at is not None

    esi.control("faults", down=False)
    await ingestor.deliver(RECONCILE)
    assert await ingestor.take(IngestRequested) == []
    await ingestor.execute("UPDATE runs SET due_at = now()")
    await ingestor.deliver(RECONCILE)
    (again,) = await ingestor.take(IngestRequested)
    assert again == wish
    await ingestor.deliver(again)
    await carry_out_items(ingestor)

    assert await state(ingestor, wish) == "succeeded"
    assert (await ingestor.run(wish.run_id or new_id())).reason is None


async def test_one_broken_page_of_several_puts_the_run_off(engine: AsyncEngine) -> None:
    def script(asked: Asked) -> bytes:
        return listed([], X_Pages="3") if asked.target.endswith("page=1") else listed(b"<html>")

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        wish = command()

        await ingestor.deliver(wish, times=1)

        assert await state(ingestor, wish) == "queued"


async def test_a_run_that_was_tried_too_often_fails_and_is_never_taken_up_again(engine: AsyncEngine) -> None:
    async with ingestion(engine, NOWHERE) as ingestor:
        wish = command()
        await ingestor.deliver(wish, times=1)
        await ingestor.execute("UPDATE runs SET attempts = :most - 1", most=MAX_RUN_ATTEMPTS)

        await ingestor.deliver(wish)
        await ingestor.deliver(RECONCILE)

        run = await ingestor.run(wish.run_id or new_id())
        assert run.state == "failed"
        assert run.reason.startswith("after 20 attempts")
        assert await ingestor.sent(IngestRequested) == []


async def test_a_crash_between_reading_and_storing_loses_nothing(ingestor: Ingestion) -> None:
    wish = command()
    async with ingestor.engine.begin() as connection:
        await ingestor.runs.start(connection, Run(wish.run_id or new_id(), wish))

    await ingestor.deliver(wish)
    await carry_out_items(ingestor)

    run = await ingestor.run(wish.run_id or new_id())
    assert (run.state, run.attempts) == ("succeeded", 2)


async def test_the_same_command_in_two_hands_at_once_is_stored_once(ingestor: Ingestion) -> None:
    wish = command(force=True)

    await asyncio.gather(*(ingestor.deliver(wish, times=1) for _ in range(4)))
    await carry_out_items(ingestor)

    run = await ingestor.run(wish.run_id or new_id())
    assert run.state == "succeeded"
    assert run.items_done == run.items_wanted > 0
    assert len(await ingestor.sent(RunFinished)) == 1
    assert await ingestor.value("SELECT count(*) FROM sweeps") == 1


@pytest.mark.parametrize("late", ["defer", "fail"])
async def test_a_slow_twin_that_gives_up_late_does_not_undo_what_the_other_listed(
    ingestor: Ingestion, late: str
) -> None:
    wish = command()
    await ingestor.deliver(wish)
    run_id = wish.run_id or new_id()

    async with ingestor.engine.begin() as connection:
        if late == "defer":
            await ingestor.runs.defer(connection, run_id, reason="late", after=timedelta())
        else:
            await ingestor.runs.end(connection, run_id, "failed", reason="late")
    await carry_out_items(ingestor)

    assert await state(ingestor, wish) == "succeeded"


async def test_a_run_that_a_twin_put_off_still_ends_when_the_other_lists_it(ingestor: Ingestion) -> None:
    wish = command()
    run = Run(wish.run_id or new_id(), wish)
    rows = {"items_wanted": 1, "fetched": 1, "listed": 1}
    async with ingestor.engine.begin() as connection:
        await ingestor.runs.start(connection, run)
        await ingestor.runs.defer(connection, run.run_id, reason="a twin's", after=timedelta())

    async with ingestor.engine.begin() as connection:
        await ingestor.runs.listed(connection, run, rows, None)
    async with ingestor.engine.begin() as connection:
        await ingestor.runs.items_progressed(connection, run.run_id, done=1, failed=0, requests=0, received=0)
        with pytest.raises(AlreadyHandledError):
            await ingestor.runs.listed(connection, run, rows, None)

    assert await state(ingestor, wish) == "succeeded"


async def test_an_older_list_that_arrives_late_is_skipped_and_leaves_no_trace(engine: AsyncEngine) -> None:
    async with scripted_esi(lambda _: listed([])) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.execute(
            "INSERT INTO coverage (region_id, generation, fresh_until, swept_at)"
            " VALUES (:region, '2030-01-01Z', '2020-01-01Z', now())",
            region=HEIMATAR,
        )
        wish = command()

        await ingestor.deliver(wish)

        assert await state(ingestor, wish) == "skipped"
        assert await ingestor.value("SELECT count(*) FROM sweeps") == 0


class UnreachableDatabase:
    """A dataset whose reading needs the database, when nothing answers there."""

    name = Dataset.CONTRACTS

    async def read(self, run: Run, traffic: Traffic) -> Any:
        del run, traffic
        raise TimeoutError("connecting to the database")

    async def store(self, connection: AsyncConnection, run: Run, reading: Any) -> Stored:
        raise NotImplementedError


async def test_a_database_that_times_out_is_not_taken_for_a_slow_upstream(offline: Ingestion) -> None:
    handle = IngestRequestedHandler(
        {Dataset.CONTRACTS: UnreachableDatabase()}, offline.enrichment, offline.runs, offline.esi.governor.precedence
    )
    wish = command()

    with pytest.raises(TimeoutError):
        await handle(Delivery(new_id(), wish, continued(None, None), "ingestor", offline.engine))

    assert await state(offline, wish) == "running"
