"""The rolls of abyssal items: asked for patiently, stored once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, IngestRequested
from common.ids import new_id
from ingestor.datasets.dynamic_items import ERRORS_PER_MINUTE
from ingestor.domain.rolls import LONGEST, MAX_ATTEMPTS, pause_after
from ingestor.stores import dynamic_items
from support.ingestion import REGION, Ingestion, ingestion
from support.scripted_esi import Asked, answer, scripted_esi
from support.simulated_esi import SimulatedEsi

WEBIFIER, TRITANIUM = 47702, 34
ROLLED = {
    "created_by": 2112625428,
    "source_type_id": 526,
    "mutator_type_id": 47297,
    "dogma_attributes": [{"attribute_id": 20, "value": -61.2}, {"attribute_id": 54, "value": 1.5e4}],
    "dogma_effects": [{"effect_id": 16, "is_default": True}],
}
NOT_FOUND = answer({"error": "ItemNotFound"}, status=520)


async def want(ingestor: Ingestion, *rows: tuple[int, int]) -> None:
    for _ in range(2):
        async with ingestor.engine.begin() as connection:
            await dynamic_items.want(connection, [(*row, number) for number, row in enumerate(rows)])


async def ask(ingestor: Ingestion, *, force: bool = False) -> str:
    """A run, delivered twice, in a minute of its own; its state."""
    await ingestor.execute("UPDATE runs SET finished_at = finished_at - interval '61 seconds'")
    run_id = new_id()
    await ingestor.deliver(IngestRequested(dataset=Dataset.DYNAMIC_ITEMS, run_id=run_id, force=force))
    return str((await ingestor.run(run_id)).state)


async def ask_again(ingestor: Ingestion) -> str:
    await ingestor.execute("UPDATE dynamic_items SET due_at = now() WHERE state = 'wanted'")
    return await ask(ingestor)


def rolling(replies: Callable[[int], bytes]) -> Callable[[Asked], bytes]:
    return lambda asked: replies(int(asked.target.rsplit("/", 1)[1]))


async def test_only_what_a_mutaplasmid_can_have_made_is_wanted(offline: Ingestion) -> None:
    blueprint = await offline.value("SELECT min(type_id) FROM types WHERE group_id = 4820 AND meta_group_id = 15")
    mutaplasmid = await offline.value("SELECT min(type_id) FROM types WHERE group_id = 1964")

    await want(offline)
    await want(offline, (1, WEBIFIER), (2, mutaplasmid), (3, TRITANIUM), (4, blueprint), (5, 10**9), (1, WEBIFIER))

    row = await offline.row("SELECT * FROM dynamic_items")
    assert (row.item_id, row.type_id, row.state) == (1, WEBIFIER, "wanted")


async def test_it_is_known_who_has_ever_offered_an_item(offline: Ingestion) -> None:
    for _ in range(2):
        async with offline.engine.begin() as connection:
            await dynamic_items.want(connection, [(1, WEBIFIER, 10), (1, WEBIFIER, 11), (2, WEBIFIER, 11)])
            await dynamic_items.want(connection, [(1, WEBIFIER, 12)])

    rows = await offline.rows("SELECT item_id, contract_ids FROM dynamic_items ORDER BY item_id")
    assert [(row.item_id, sorted(row.contract_ids)) for row in rows] == [(1, [10, 11, 12]), (2, [11])]


async def test_rolls_are_stored_once_and_asked_for_no_more(engine: AsyncEngine) -> None:
    async with (
        scripted_esi(rolling(lambda _: answer(ROLLED))) as esi,
        ingestion(engine, esi.url) as ingestor,
    ):
        await want(ingestor, (1047092007473, WEBIFIER))

        assert [await ask(ingestor), await ask(ingestor)] == ["succeeded", "skipped"]
        await want(ingestor, (1047092007473, WEBIFIER))
        assert await ask(ingestor) == "skipped"

        assert esi.targets() == [f"/dogma/dynamic/items/{WEBIFIER}/1047092007473"]
        row = await ingestor.row("SELECT * FROM dynamic_items")
        assert (row.state, row.source_type_id, row.mutator_type_id, row.created_by, row.due_at) == (
            "stored",
            526,
            47297,
            2112625428,
            None,
        )
        attributes = await ingestor.rows("SELECT attribute_id, value FROM dynamic_item_attributes ORDER BY 1")
        assert [tuple(row) for row in attributes] == [(20, -61.2), (54, 15000.0)]


async def test_an_item_that_is_stored_stays_whatever_comes_later(engine: AsyncEngine) -> None:
    async with scripted_esi(rolling(lambda _: answer(ROLLED))) as esi, ingestion(engine, esi.url) as ingestor:
        await want(ingestor, (1, WEBIFIER))
        await ask(ingestor)

        async with ingestor.engine.begin() as connection:
            await dynamic_items.store(connection, {}, {1: "520: ItemNotFound"})

        assert await ingestor.value("SELECT state FROM dynamic_items") == "stored"


async def test_items_that_are_not_found_are_asked_for_again_and_found_in_the_end(engine: AsyncEngine) -> None:
    worthless = [
        NOT_FOUND,
        answer({"error": "not found \x00"}, status=404),
        answer({"error": "Unhandled internal error encountered!"}, status=500),
        answer({**ROLLED, "dogma_attributes": []}),
        answer({"created_by": 1}),
        answer(b"", status=204),
    ]
    replies = dict(enumerate([*worthless, answer(ROLLED)]))
    async with scripted_esi(rolling(lambda item: replies[item])) as esi, ingestion(engine, esi.url) as ingestor:
        await want(ingestor, *((item, WEBIFIER) for item in replies))

        await ask(ingestor)
        rows = await ingestor.rows("SELECT *, due_at > now() AS later FROM dynamic_items WHERE state <> 'stored'")
        assert [(row.state, row.attempts, row.later) for row in rows] == [("wanted", 1, True)] * len(worthless)
        assert all(row.error for row in rows)
        replies = dict.fromkeys(replies, answer(ROLLED))
        assert await ask_again(ingestor) == "succeeded"

        assert await ingestor.value("SELECT count(*) FROM dynamic_items WHERE state = 'stored'") == len(replies)


async def test_an_item_is_set_aside_visibly_after_days_and_taken_up_by_force(engine: AsyncEngine) -> None:
    replies = [NOT_FOUND, answer(ROLLED)]
    async with scripted_esi(rolling(lambda _: replies[0])) as esi, ingestion(engine, esi.url) as ingestor:
        await want(ingestor, (1, WEBIFIER))
        await ingestor.execute("UPDATE dynamic_items SET attempts = :attempts", attempts=MAX_ATTEMPTS - 1)

        await ask(ingestor)
        row = await ingestor.row("SELECT state, error FROM dynamic_items")
        assert tuple(row) == ("failed", "520: ItemNotFound")
        assert await ask(ingestor) == "skipped"
        del replies[0]
        assert await ask(ingestor, force=True) == "succeeded"
        assert await ask(ingestor) == "succeeded"

        assert await ingestor.value("SELECT state FROM dynamic_items") == "stored"


async def test_what_contracts_held_before_its_type_was_known_to_be_dynamic_is_found_by_force(
    offline: Ingestion,
) -> None:
    await offline.execute(
        "INSERT INTO contract_items (contract_id, record_id, type_id, quantity, is_included, item_id)"
        " VALUES (1, 1, :type, 1, true, 7), (1, 2, :type, 1, false, NULL), (1, 3, 34, 1, true, 8)",
        type=WEBIFIER,
    )

    assert await ask(offline, force=True) == "succeeded"

    assert await offline.value("SELECT item_id FROM dynamic_items") == 7


async def test_a_backlog_of_unknown_items_never_burns_the_error_budget(engine: AsyncEngine) -> None:
    async with scripted_esi(rolling(lambda _: NOT_FOUND)) as esi, ingestion(engine, esi.url) as ingestor:
        await want(ingestor, *((number, WEBIFIER) for number in range(1, 60)))

        assert await ask(ingestor) == "partial"
        run_id = new_id()
        await ingestor.deliver(IngestRequested(dataset=Dataset.DYNAMIC_ITEMS, run_id=run_id))

        assert (await ingestor.run(run_id)).state == "skipped"
        assert len(esi.asked) == ERRORS_PER_MINUTE


async def test_a_pause_of_upstream_is_no_items_fault(engine: AsyncEngine) -> None:
    said = answer({"error": "error limited"}, status=420)
    async with scripted_esi(rolling(lambda _: said)) as esi, ingestion(engine, esi.url) as ingestor:
        await want(ingestor, *((number, WEBIFIER) for number in range(1, 60)))

        await ask(ingestor)

        assert len(esi.asked) <= ERRORS_PER_MINUTE
        assert await ingestor.value("SELECT count(*) FROM dynamic_items WHERE attempts = 0") >= 59 - ERRORS_PER_MINUTE


@settings(max_examples=40, deadline=None)
@given(st.integers(1, MAX_ATTEMPTS - 1))
def test_pauses_grow_and_are_enough_for_days(attempts: int) -> None:
    assert pause_after(attempts) <= pause_after(attempts + 1) <= LONGEST
    assert sum((pause_after(number) for number in range(1, MAX_ATTEMPTS)), timedelta()) > timedelta(days=2)


async def test_the_rolls_of_a_market_are_all_known(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    whole: list[dict[str, Any]] = esi.get(f"/_simulator/truth/{REGION}?dynamic=1").content["dynamic"]
    truth = whole[:250]  # fewer than a run reads at the most; how many there are changes from day to day
    await want(ingestor, *((roll["item_id"], roll["type_id"]) for roll in truth))

    assert await ask(ingestor) == "succeeded"

    rolled = {roll["item_id"]: (roll["source_type_id"], roll["mutator_type_id"]) for roll in truth}
    rows = await ingestor.rows("SELECT item_id, source_type_id, mutator_type_id FROM dynamic_items")
    assert {row.item_id: (row.source_type_id, row.mutator_type_id) for row in rows} == {
        row.item_id: rolled[row.item_id] for row in rows
    }
    assert len(rows) > len(truth) * 0.9
