"""Items once more: summarised anew without a request, read again where they are missing, whatever is killed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common.errors import DeferError
from common.events import ContractEnriched, Dataset, IngestRequested, ItemsWanted, RunFinished, ScheduleDue, Scope
from common.ids import new_id
from ingestor.datasets.items import CHUNKS_PER_ATTEMPT, Items
from ingestor.domain.retrying import ANOTHER_DAY, MAX_ITEM_ATTEMPTS
from ingestor.domain.summary import VERSION
from ingestor.esi.client import Traffic
from ingestor.stores.replaying import READ_PER_MINUTE
from ingestor.stores.runs import Run
from support.ingestion import Ingestion, ingestion
from support.killing import KilledError, killed_after
from support.market_rows import DOMAIN, MERLIN, RIFTER, THE_FORGE, MarketRows
from support.scripted_esi import Asked, answer, scripted_esi

OLD = {"enrichment_version": VERSION - 1, "label": "by older rules", "composition": "single"}
RECONCILE = ScheduleDue(
    schedule_id="reconcile", slot_at=datetime(2026, 11, 1, tzinfo=UTC), action="reconcile", dataset=None, run_id=None
)
FORGE = Scope(region_id=THE_FORGE)


@pytest.fixture
def rows(engine: AsyncEngine) -> MarketRows:
    return MarketRows(engine)


async def held(rows: MarketRows, contract_id: int, type_id: int = RIFTER, **columns: Any) -> None:
    """A contract whose items are stored, and were summarised by older rules."""
    await rows.contract(contract_id, **{**OLD, **columns})
    await rows.item(contract_id, type_id)


async def replay(ingestor: Ingestion, scope: Scope, *, force: bool = False) -> UUID:
    run_id = new_id()
    await ingestor.deliver(IngestRequested(dataset=Dataset.ITEMS, scope=scope, run_id=run_id, force=force))
    return run_id


async def labels(ingestor: Ingestion) -> dict[int, str]:
    found = await ingestor.rows("SELECT contract_id, label FROM contracts ORDER BY contract_id")
    return {row.contract_id: row.label for row in found}


def items_of(type_id: int, status: int = 200) -> Any:
    item = {"record_id": 7, "type_id": type_id, "quantity": 1, "is_included": True}

    def script(asked: Asked) -> bytes:
        assert asked.target.startswith("/contracts/public/items/")
        return answer([item] if status == 200 else {"error": "not now"}, status=status)

    return script


async def test_a_region_is_summarised_anew_from_what_is_stored_without_a_request(
    offline: Ingestion, rows: MarketRows
) -> None:
    await held(rows, 1)
    await held(rows, 2, MERLIN, enrichment_version=VERSION)
    await held(rows, 3, region_id=DOMAIN)
    await held(rows, 4, delisted_at=datetime.now(UTC))
    await rows.contract(5, type="courier", items_state="none")

    run_id = await replay(offline, FORGE)

    assert await labels(offline) == {1: "Rifter", 2: "Merlin", 3: OLD["label"], 4: OLD["label"], 5: None}
    run = await offline.run(run_id)
    assert (run.state, run.fetched, run.changed, run.unchanged, run.upstream_requests) == ("succeeded", 2, 2, 0, 0)
    assert [told.label for told in await offline.sent(ContractEnriched)] == ["Rifter", "Merlin"]
    assert await offline.value("SELECT count(items_read_at) FROM contracts") == 0

    again = await offline.run(await replay(offline, FORGE))

    assert (again.state, again.fetched, again.changed, again.unchanged) == ("succeeded", 2, 0, 2)
    assert len(await offline.sent(ContractEnriched)) == 2


@pytest.mark.parametrize(
    ("scope", "expected"),
    [(Scope(contract_id=2), {2}), (Scope(below_version=VERSION), {1}), (Scope(below_version=VERSION + 1), {1, 2})],
)
async def test_a_replay_keeps_to_its_scope(
    offline: Ingestion, rows: MarketRows, scope: Scope, expected: set[int]
) -> None:
    await held(rows, 1)
    await held(rows, 2, enrichment_version=VERSION)

    await replay(offline, scope)

    assert {number for number, label in (await labels(offline)).items() if label == "Rifter"} == expected


@pytest.mark.parametrize("scope", [Scope(contract_id=404), Scope(region_id=THE_FORGE), Scope()])
async def test_a_replay_that_finds_nothing_is_skipped(offline: Ingestion, scope: Scope) -> None:
    run = await offline.run(await replay(offline, scope))

    assert (run.state, run.reason) == ("skipped", "no contract of the scope has to be summarised or read again")


async def test_what_was_given_up_is_read_again_and_ends_the_run(engine: AsyncEngine, rows: MarketRows) -> None:
    async with scripted_esi(items_of(MERLIN)) as esi, ingestion(engine, esi.url) as ingestor:
        await held(rows, 1)
        await rows.contract(2, items_state="failed", items_attempts=MAX_ITEM_ATTEMPTS, items_error="404")
        run_id = await replay(ingestor, FORGE)
        assert ((await ingestor.run(run_id)).state, (await ingestor.run(run_id)).items_wanted) == ("running", 1)

        await ingestor.deliver(RECONCILE)
        for wanted in await ingestor.take(ItemsWanted):
            await ingestor.deliver(wanted)

        assert await labels(ingestor) == {1: "Rifter", 2: "Merlin"}
        run = await ingestor.run(run_id)
        assert (run.state, run.fetched, run.changed, run.items_wanted, run.items_done) == ("succeeded", 1, 1, 1, 1)
        assert len(await ingestor.sent(RunFinished)) == 1


async def test_by_force_stored_items_are_read_again_and_stand_until_then(engine: AsyncEngine, rows: MarketRows) -> None:
    async with scripted_esi(items_of(MERLIN)) as esi, ingestion(engine, esi.url) as ingestor:
        await held(rows, 1)
        run_id = await replay(ingestor, FORGE, force=True)
        assert await labels(ingestor) == {1: OLD["label"]}
        assert await ingestor.value("SELECT type_id FROM contract_items") == RIFTER

        await ingestor.deliver(ItemsWanted(region_id=THE_FORGE, contract_ids=(1,)))

        assert await labels(ingestor) == {1: "Merlin"}
        assert await ingestor.value("SELECT type_id FROM contract_items") == MERLIN
        assert await ingestor.value("SELECT count(items_read_at) FROM contracts") == 1
        run = await ingestor.run(run_id)
        assert (run.state, run.items_wanted, run.items_done, run.fetched) == ("succeeded", 1, 1, 0)


async def test_what_cannot_be_read_again_stays_as_it_was(engine: AsyncEngine, rows: MarketRows) -> None:
    async with scripted_esi(items_of(MERLIN, status=404)) as esi, ingestion(engine, esi.url) as ingestor:
        await held(rows, 1, items_attempts=3)
        run_id = await replay(ingestor, Scope(contract_id=1), force=True)

        for _ in range(MAX_ITEM_ATTEMPTS):
            await ingestor.deliver(ItemsWanted(region_id=THE_FORGE, contract_ids=(1,)))

        assert len(esi.asked) == MAX_ITEM_ATTEMPTS
        row = await ingestor.row("SELECT items_state, label FROM contracts")
        assert tuple(row) == ("stored", OLD["label"])
        assert await ingestor.value("SELECT type_id FROM contract_items") == RIFTER
        assert ((await ingestor.run(run_id)).state, (await ingestor.run(run_id)).items_failed) == ("partial", 1)


async def test_what_is_to_be_read_again_is_due_at_a_bounded_rate_whoever_asks(
    offline: Ingestion, rows: MarketRows
) -> None:
    await rows.execute(
        """INSERT INTO contracts (contract_id, region_id, type, issuer_id, issuer_corporation_id, for_corporation,
                                  date_issued, date_expired, items_state, items_sent_at)
           SELECT n, 10000002 + n / 1200, 'auction', 1, 1, false, now(), now() + interval '1 day', 'failed',
                  now() - interval '1 hour' FROM generate_series(1, 2399) n"""
    )
    await rows.execute("INSERT INTO broker_epochs (topics) VALUES ('{}')")

    await replay(offline, FORGE)
    await replay(offline, Scope(region_id=THE_FORGE + 1))

    due = await offline.rows(
        """SELECT floor(extract(epoch FROM items_due_at - (SELECT min(items_due_at) FROM contracts)) / 60) AS minute,
                  count(*) AS contracts
             FROM contracts GROUP BY 1"""
    )
    per_minute = {int(row.minute): row.contracts for row in due}
    assert sum(per_minute.values()) == 2399
    assert set(per_minute) == {0, 1}
    assert per_minute[0] <= READ_PER_MINUTE + 1
    await offline.deliver(RECONCILE)
    assert sum(len(wanted.contract_ids) for wanted in await offline.sent(ItemsWanted)) < 100


async def test_a_new_version_and_what_failed_a_day_ago_heal_without_an_operator(
    engine: AsyncEngine, rows: MarketRows
) -> None:
    async with scripted_esi(items_of(MERLIN, status=404)) as esi, ingestion(engine, esi.url) as ingestor:
        await held(rows, 1)
        failed = {"items_state": "failed", "items_attempts": MAX_ITEM_ATTEMPTS}
        await rows.contract(2, **failed, items_due_at=datetime.now(UTC) - timedelta(seconds=1))
        await rows.contract(3, **failed, items_due_at=datetime.now(UTC) + timedelta(hours=1))
        await rows.contract(4, **failed, delisted_at=datetime.now(UTC))

        await ingestor.deliver(RECONCILE)
        (command,) = [of for of in await ingestor.sent(IngestRequested) if of.dataset is Dataset.ITEMS]
        await ingestor.deliver(command)
        await ingestor.deliver(RECONCILE)
        for wanted in await ingestor.take(ItemsWanted):
            await ingestor.deliver(wanted)

        assert len(esi.asked) == 1
        assert (await labels(ingestor))[1] == "Rifter"
        row = await ingestor.row(
            "SELECT items_state, items_attempts, items_due_at - now() AS left FROM contracts WHERE contract_id = 2"
        )
        assert (row.items_state, row.items_attempts) == ("failed", MAX_ITEM_ATTEMPTS + 1)
        assert ANOTHER_DAY - timedelta(minutes=1) < row.left <= ANOTHER_DAY
        run = await ingestor.run(UUID(str(command.run_id)))
        assert (run.state, run.changed, run.items_wanted, run.items_failed) == ("partial", 1, 1, 1)
        assert not await waiting(ingestor)


async def waiting(ingestor: Ingestion) -> bool:
    async with ingestor.engine.connect() as connection:
        return await Items(ingestor.engine, ingestor.outbox).waiting(connection)


async def test_what_cannot_be_summarised_is_read_again_and_shown_until_then(
    offline: Ingestion, rows: MarketRows
) -> None:
    await rows.contract(1, **OLD)
    await held(rows, 2, 999_999_999)
    await held(rows, 3)

    run = await offline.run(await replay(offline, FORGE))

    assert await labels(offline) == {1: OLD["label"], 2: OLD["label"], 3: "Rifter"}
    assert (run.state, run.fetched, run.changed, run.unchanged, run.items_wanted) == ("running", 3, 1, 2, 2)


async def begun(ingestor: Ingestion) -> Run:
    run_id = new_id()
    run = Run(run_id, IngestRequested(dataset=Dataset.ITEMS, scope=FORGE, run_id=run_id))
    async with ingestor.engine.begin() as connection:
        await ingestor.runs.start(connection, run)
    return run


async def carry_out(ingestor: Ingestion, run: Run) -> None:
    """What the handler does with the run, to its end."""
    items = Items(ingestor.engine, ingestor.outbox, chunk=2)
    await items.read(run, Traffic())
    async with ingestor.engine.begin() as connection:
        stored = await items.store(connection, run, None)
        await ingestor.runs.listed(connection, run, stored.counts, stored.flaw)


async def test_wherever_it_is_killed_a_replay_goes_on_where_it_was_and_its_counts_add_up(
    offline: Ingestion, rows: MarketRows
) -> None:
    for number in range(1, 4):
        await held(rows, number)
    outcomes, survived, killed = [], False, 0

    while not survived and killed < 60:
        await offline.execute("UPDATE contracts SET enrichment_version = 1, label = 'by older rules'")
        await offline.execute("DELETE FROM outbox")
        run = await begun(offline)
        try:
            with killed_after(offline.engine, killed):
                await carry_out(offline, run)
            survived = True
        except KilledError:
            await carry_out(offline, run)
            killed += 1
        found, told = await offline.run(run.run_id), await offline.sent(ContractEnriched)
        outcomes.append((found.state, found.fetched, found.changed, len(told), *(await labels(offline)).values()))

    assert 12 < killed < 60
    assert set(outcomes) == {("succeeded", 3, 3, 3, "Rifter", "Rifter", "Rifter")}


async def test_a_run_that_has_more_to_do_than_a_few_seconds_allow_is_put_off_and_blames_nobody(
    offline: Ingestion, rows: MarketRows
) -> None:
    for number in range(1, CHUNKS_PER_ATTEMPT + 2):
        await held(rows, number)
    run, items = await begun(offline), Items(offline.engine, offline.outbox, chunk=1)

    with pytest.raises(DeferError):
        await items.read(run, Traffic())

    found = await offline.run(run.run_id)
    assert (found.fetched, found.attempts) == (CHUNKS_PER_ATTEMPT, 0)
    await items.read(run, Traffic())
    assert set((await labels(offline)).values()) == {"Rifter"}
