"""What contracts hold, read once and counted to their run."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common import clock
from common.events import ContractEnriched, Dataset, IngestRequested, ItemsWanted, RunFinished, Scope
from common.ids import new_id
from common.tables.contracts import CATEGORY_FACET, GROUP_FACET
from ingestor.domain.retrying import MAX_ITEM_ATTEMPTS
from ingestor.domain.summary import VERSION
from ingestor.stores.runs import Run
from support.ingestion import NOWHERE, REGION, Ingestion, client, contract, ingestion, whole_list
from support.scripted_esi import Asked, answer, scripted_esi
from support.simulated_esi import SimulatedEsi

TRITANIUM = {"record_id": 1, "type_id": 34, "quantity": 5, "is_included": True}
FUTURE = timedelta(days=3650)


async def listed(ingestor: Ingestion, contract_ids: Sequence[int]) -> UUID:
    """A run that has listed `contract_ids` and waits for their items."""
    run_id = new_id()
    run = Run(run_id, IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=REGION), run_id=run_id))
    rows = [contract(number, date_expired=contract(1).date_expired + FUTURE) for number in contract_ids]
    async with ingestor.engine.begin() as connection:
        await ingestor.runs.start(connection, run)
        merged = await ingestor._contracts.merge(connection, whole_list(*rows), run_id=run_id)
        await ingestor.runs.listed(connection, run, merged.counts, None)
    return run_id


async def read(ingestor: Ingestion, *contract_ids: int) -> None:
    await ingestor.deliver(ItemsWanted(region_id=REGION, contract_ids=contract_ids))


def items_route(reply: Callable[[int], bytes], others: Callable[[Asked], bytes] | None = None) -> Any:
    """A script that answers for items by contract, and for anything else with `others` or 404."""

    def script(asked: Asked) -> bytes:
        prefix = "/contracts/public/items/"
        if asked.target.startswith(prefix):
            return reply(int(asked.target.removeprefix(prefix).partition("?")[0]))
        return others(asked) if others else answer({"error": "not found"}, status=404)

    return script


async def test_items_are_stored_once_and_told_once_however_often_they_are_delivered(engine: AsyncEngine) -> None:
    script = items_route(lambda _: answer([TRITANIUM]))
    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        run_id = await listed(ingestor, [1])

        await read(ingestor, 1)
        await read(ingestor, 1)

        assert len(esi.asked) == 1
        row = await ingestor.row("SELECT * FROM contracts")
        assert (row.items_state, row.label, row.composition, row.enrichment_version) == (
            "stored",
            "5 \N{MULTIPLICATION SIGN} Tritanium",
            "single",
            VERSION,
        )
        assert row.units == 5
        assert row.facets == [34, GROUP_FACET + 18, CATEGORY_FACET + 4]
        assert row.listed_at < row.items_read_at < clock.now()
        assert await ingestor.value("SELECT count(*) FROM contract_items") == 1
        assert len(await ingestor.sent(ContractEnriched)) == 1
        (finished,) = await ingestor.sent(RunFinished)
        assert (finished.run_id, finished.state, finished.counts.items_done) == (run_id, "succeeded", 1)


@pytest.mark.parametrize(
    "said",
    [
        answer([]),
        answer(b"", status=204),
        answer({"error": "Contract not public"}, status=403),
        answer({"error": "Contract \x00 not found"}, status=404),
        answer([TRITANIUM], X_Pages="many"),
    ],
)
async def test_items_that_are_not_there_are_tried_again_and_given_up_in_the_end(
    engine: AsyncEngine, said: bytes
) -> None:
    async with scripted_esi(items_route(lambda _: said)) as esi, ingestion(engine, esi.url) as ingestor:
        run_id = await listed(ingestor, [1])
        pauses = []

        for _ in range(MAX_ITEM_ATTEMPTS - 1):
            await read(ingestor, 1)
            pauses.append(await ingestor.value("SELECT items_due_at - now() FROM contracts WHERE items_state='wanted'"))
        assert (await ingestor.run(run_id)).state == "running"
        await read(ingestor, 1)
        await read(ingestor, 1)

        assert pauses == sorted(pauses)
        assert pauses[-1] > timedelta(minutes=2)
        assert len(esi.asked) == MAX_ITEM_ATTEMPTS
        row = await ingestor.row("SELECT * FROM contracts")
        assert row.items_state == "failed"
        assert row.items_error
        assert row.label is None
        run = await ingestor.run(run_id)
        assert (run.state, run.items_failed, run.items_done) == ("partial", 1, 0)
        assert len(await ingestor.sent(RunFinished)) == 1


@pytest.mark.parametrize("upstream", ["answers", "is away"])
async def test_a_contract_that_left_the_list_meanwhile_is_settled_at_once(engine: AsyncEngine, upstream: str) -> None:
    missing = answer({"error": "Contract not found"}, status=404)
    async with (
        scripted_esi(items_route(lambda _: missing)) as esi,
        ingestion(engine, esi.url if upstream == "answers" else NOWHERE) as ingestor,
    ):
        run_id = await listed(ingestor, [1])
        await ingestor.execute("UPDATE contracts SET delisted_at = now()")

        await read(ingestor, 1)

        assert await ingestor.value("SELECT items_state FROM contracts") == "failed"
        assert (await ingestor.run(run_id)).state == "partial"


async def test_an_upstream_that_is_away_is_nobodys_fault_and_asked_less_the_longer_it_lasts(
    engine: AsyncEngine,
) -> None:
    async with ingestion(engine, NOWHERE) as ingestor:
        run_id = await listed(ingestor, [1, 2])
        await ingestor.execute("UPDATE contracts SET listed_at = now() - interval '1 hour' WHERE contract_id = 2")

        await read(ingestor, 1, 2)

        first, second = await ingestor.rows(
            "SELECT items_state, items_attempts, items_due_at - now() AS left FROM contracts ORDER BY contract_id"
        )
        assert (first.items_state, first.items_attempts) == (second.items_state, second.items_attempts) == ("wanted", 0)
        assert first.left < timedelta(seconds=10)
        assert second.left > timedelta(minutes=5)
        assert (await ingestor.run(run_id)).state == "running"


async def test_more_items_than_a_page_holds_are_all_stored(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    held = {int(number): items for number, items in esi.truth(REGION)["items"].items()}
    largest = max(held, key=lambda number: len(held[number]))
    assert len(held[largest]) > 1000
    await listed(ingestor, [largest])

    await read(ingestor, largest)

    assert await ingestor.value("SELECT count(*) FROM contract_items") == len(held[largest])


async def test_what_is_known_of_types_is_known_to_the_end_of_a_chunk_also_if_it_grows_old_meanwhile(
    engine: AsyncEngine,
) -> None:
    held = [TRITANIUM, {"record_id": 2, "type_id": 999_999, "quantity": 1, "is_included": True}]

    def described(_: Asked) -> bytes:
        ingestor.enrichment._facts_until = 0.0
        return answer({"type_id": 999_999, "group_id": 18, "name": "Newest Ore", "published": True, "volume": 1.0})

    async with (
        scripted_esi(items_route(lambda _: answer(held), described)) as esi,
        ingestion(engine, esi.url) as ingestor,
    ):
        await listed(ingestor, [1])

        await read(ingestor, 1)

        assert await ingestor.value("SELECT items_state FROM contracts WHERE contract_id = 1") == "stored"


async def test_a_type_that_nobody_knew_is_asked_for_once_and_stored(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    held = {int(number): items for number, items in esi.truth(REGION)["items"].items() if len(items) == 1}
    contract_id, (item,) = next(iter(held.items()))
    known = await ingestor.row("SELECT name FROM types WHERE type_id = :id", id=item["type_id"])
    await ingestor.execute("DELETE FROM types WHERE type_id = :id", id=item["type_id"])
    asked_before = asked_of(esi, "types")
    await listed(ingestor, [contract_id])

    await read(ingestor, contract_id)

    assert await ingestor.row("SELECT name FROM types WHERE type_id = :id", id=item["type_id"]) == known
    assert asked_of(esi, "types") == asked_before + 1
    assert await ingestor.value("SELECT items_state FROM contracts") == "stored"


async def test_a_known_type_without_its_group_is_completed(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    held = {int(number): items for number, items in esi.truth(REGION)["items"].items() if len(items) == 1}
    contract_id, (item,) = next(iter(held.items()))
    await ingestor.execute(
        "DELETE FROM groups WHERE group_id = (SELECT group_id FROM types WHERE type_id = :id)", id=item["type_id"]
    )
    await listed(ingestor, [contract_id])

    await read(ingestor, contract_id)

    assert await ingestor.value("SELECT items_state FROM contracts") == "stored"


def asked_of(esi: SimulatedEsi, route: str) -> int:
    return sum(esi.get("/_simulator/stats").content["requests"].get(route, {}).values())


async def test_a_type_that_upstream_does_not_know_either_is_not_taken_for_complete(engine: AsyncEngine) -> None:
    script = items_route(lambda _: answer([{**TRITANIUM, "type_id": 999_999_999}, {**TRITANIUM, "record_id": 2}]))
    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await listed(ingestor, [1])

        await read(ingestor, 1)

        row = await ingestor.row("SELECT * FROM contracts")
        assert (row.items_state, row.items_attempts, row.items_error) == ("wanted", 1, "a type is not known yet")
        assert await ingestor.value("SELECT count(*) FROM contract_items") == 0


async def test_types_that_upstream_cannot_give_now_are_waited_for_without_blame(engine: AsyncEngine) -> None:
    script = items_route(
        lambda number: answer([{**TRITANIUM, "type_id": 999_999_999 if number == 1 else 34}]),
        lambda _: answer({"error": "down"}, status=503),
    )
    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await listed(ingestor, [1, 2])

        await read(ingestor, 1, 2)

        states = await ingestor.rows("SELECT items_state, items_attempts FROM contracts ORDER BY contract_id")
        assert [tuple(row) for row in states] == [("wanted", 0), ("stored", 0)]


async def test_a_run_ends_exactly_once_when_its_chunks_are_handled_side_by_side(engine: AsyncEngine) -> None:
    missing = answer({"error": "Contract not found"}, status=404)
    script = items_route(lambda number: missing if number % 7 == 0 else answer([TRITANIUM]))
    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        numbers = range(1, 101)
        run_id = await listed(ingestor, numbers)
        await ingestor.execute("UPDATE contracts SET items_attempts = 7")
        chunks = [tuple(numbers)[start : start + 10] for start in range(0, 100, 10)]
        overlapping = [tuple(numbers)[start : start + 10] for start in range(5, 95, 10)]

        await asyncio.gather(*(read(ingestor, *chunk) for chunk in chunks + overlapping))

        run = await ingestor.run(run_id)
        assert (run.state, run.items_wanted, run.items_done, run.items_failed) == ("partial", 100, 86, 14)
        assert len(await ingestor.sent(RunFinished)) == 1
        assert len(await ingestor.sent(ContractEnriched)) == 86
        assert await ingestor.value("SELECT count(*) FROM contract_items") == 86


async def test_a_chunk_of_several_runs_is_counted_to_each(engine: AsyncEngine) -> None:
    async with scripted_esi(items_route(lambda _: answer([TRITANIUM]))) as esi, client(esi.url) as upstream:
        ingestor = Ingestion(engine, upstream)
        first = await listed(ingestor, [1, 2])
        second = await listed(ingestor, [1, 2, 3])

        await read(ingestor, 1, 2, 3)

        runs = [await ingestor.run(run_id) for run_id in (first, second)]
        assert [(run.state, run.items_done) for run in runs] == [("succeeded", 2), ("succeeded", 1)]
        assert sum(run.upstream_requests for run in runs) == 3
