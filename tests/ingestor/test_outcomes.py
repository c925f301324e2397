"""What became of contracts that left the list."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import ContractChanged, ContractDelisted, Dataset, IngestRequested
from common.ids import new_id
from ingestor.datasets.outcomes import PROBES_PER_MINUTE
from ingestor.esi.models import PublicContract
from ingestor.stores import outcomes
from ingestor.stores.outcomes import OutcomeStore, Verdict
from support.ingestion import Ingestion, contract, ingestion, whole_list
from support.scripted_esi import Asked, answer, scripted_esi
from support.simulated_esi import SimulatedEsi

LISTED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
GONE = LISTED + timedelta(hours=1)
ACCEPTED = answer({"error": "Contract accepted by player, requires authorization"}, status=403)
REMOVED = answer({"error": "Contract not found"}, status=404)
EMPTY = answer(b"", status=204)
LONG = LISTED + timedelta(days=20)
OVER = LISTED + timedelta(minutes=10)


def standing(contract_id: int, **fields: Any) -> PublicContract:
    return contract(contract_id, **{"date_expired": LONG, **fields})


async def gone(ingestor: Ingestion, *rows: PublicContract) -> None:
    """Contracts that stood in a list and are missing from the next; they are due."""
    other = standing(10**9)
    await ingestor.merge(whole_list(*rows, other, at=LISTED))
    await ingestor.merge(whole_list(other, at=GONE))
    await hurry(ingestor)


async def hurry(ingestor: Ingestion) -> None:
    await ingestor.execute("UPDATE contracts SET outcome_due_at = now() WHERE outcome_due_at IS NOT NULL")
    await ingestor.execute("UPDATE runs SET finished_at = finished_at - interval '61 seconds'")


async def ask(ingestor: Ingestion) -> str:
    run_id = new_id()
    await ingestor.deliver(IngestRequested(dataset=Dataset.OUTCOMES, run_id=run_id))
    return str((await ingestor.run(run_id)).state)


async def outcome(ingestor: Ingestion, contract_id: int = 1) -> tuple[str, bool]:
    """What is known, and whether more is to be asked."""
    row = await ingestor.row("SELECT * FROM contracts WHERE contract_id = :id", id=contract_id)
    assert row.delisted_at is not None
    return row.outcome, row.outcome_due_at is not None


async def noted(ingestor: Ingestion) -> list[tuple[int, str]]:
    """Outcomes that are kept beside the contracts."""
    kept = await ingestor.rows(
        "SELECT contract_id, details ->> 'outcome' FROM contract_changes WHERE change = 'outcome' ORDER BY contract_id"
    )
    return [tuple(row) for row in kept]


def items_of(replies: Callable[[int], bytes]) -> Callable[[Asked], bytes]:
    return lambda asked: replies(int(asked.target.rsplit("/", 1)[1]))


CASES: Sequence[tuple[dict[str, Any], int | None, bytes, str, Sequence[str]]] = [
    ({}, None, ACCEPTED, "accepted", ["accepted"]),
    ({}, None, REMOVED, "withdrawn", ["withdrawn"]),
    ({"date_expired": GONE + timedelta(minutes=20)}, None, REMOVED, "withdrawn", ["withdrawn"]),
    ({"date_expired": OVER}, None, REMOVED, "expired", []),
    ({"date_expired": OVER}, None, ACCEPTED, "accepted", ["accepted"]),
    ({"date_expired": OVER, "type": "auction"}, 2, REMOVED, "accepted", ["accepted"]),
    ({"date_expired": OVER, "type": "auction"}, 0, REMOVED, "expired", ["expired"]),
    ({"date_expired": OVER, "type": "auction"}, None, REMOVED, "unknown", []),
]


async def test_one_probe_decides_and_a_change_is_told_once(engine: AsyncEngine) -> None:
    cases = dict(enumerate(CASES, start=1))
    rows = {number: standing(number, **fields) for number, (fields, *_) in cases.items()}
    async with scripted_esi(items_of(lambda number: cases[number][2])) as esi, ingestion(engine, esi.url) as ingestor:
        await gone(ingestor, *rows.values())
        for number, (_, bids, *_) in cases.items():
            await ingestor.execute("UPDATE contracts SET bids_count = :n WHERE contract_id = :id", n=bids, id=number)

        assert [await ask(ingestor), await ask(ingestor)] == ["succeeded", "skipped"]

        assert len(esi.asked) == len(CASES)
        assert {number: await outcome(ingestor, number) for number in cases} == {
            number: (expected, False) for number, (*_, expected, _) in cases.items()
        }
        told = [(event.contract_id, event.outcome) for event in await ingestor.sent(ContractChanged)]
        assert sorted(told) == [(number, word) for number, (*_, words) in cases.items() for word in words]
        assert await noted(ingestor) == sorted(told)
        changes = {
            event.contract_id: (event.price, event.date_expired) for event in await ingestor.sent(ContractChanged)
        }
        assert changes == {number: (rows[number].price, rows[number].date_expired) for number in changes}


async def test_what_proves_nothing_is_asked_again_twice_and_stays_unknown(engine: AsyncEngine) -> None:
    said = [EMPTY, answer([]), answer({"error": "Contract not public"}, status=403)]
    async with scripted_esi(items_of(lambda number: said[number - 1])) as esi, ingestion(engine, esi.url) as ingestor:
        await gone(ingestor, *(standing(number) for number in range(1, len(said) + 1)))
        waits = list[timedelta | None]()

        for _ in range(4):
            await ask(ingestor)
            rows = await ingestor.rows("SELECT outcome_due_at - now() FROM contracts WHERE delisted_at IS NOT NULL")
            waits += [wait for (wait,) in rows]
            await hurry(ingestor)

        assert len(esi.asked) == 3 * len(said)
        long = [wait is not None and wait > timedelta(minutes=59) for wait in waits]
        assert long == [True] * 6 + [False] * 6
        assert [await outcome(ingestor, number) for number in (1, 2, 3)] == [("unknown", False)] * 3
        assert await ingestor.sent(ContractChanged) == []


async def test_a_later_probe_decides_what_the_cache_hid(engine: AsyncEngine) -> None:
    replies = [answer([]), ACCEPTED]
    async with scripted_esi(items_of(lambda _: replies[0])) as esi, ingestion(engine, esi.url) as ingestor:
        await gone(ingestor, standing(1))

        await ask(ingestor)
        del replies[0]
        await hurry(ingestor)
        await ask(ingestor)

        assert await outcome(ingestor) == ("accepted", False)


async def test_a_contract_that_came_back_meanwhile_has_no_outcome(engine: AsyncEngine) -> None:
    async with scripted_esi(items_of(lambda _: ACCEPTED)) as esi, ingestion(engine, esi.url) as ingestor:
        await gone(ingestor, standing(1), standing(2))
        await ask(ingestor)

        back = whole_list(standing(1), standing(2), standing(10**9), at=GONE + timedelta(minutes=20))
        await ingestor.merge(back)

        rows = await ingestor.rows("SELECT * FROM contracts WHERE contract_id < 3")
        assert [(row.outcome, row.outcome_due_at, row.outcome_attempts, row.delisted_at) for row in rows] == [
            (None, None, 0, None)
        ] * 2
        assert await ask(ingestor) == "skipped"


async def test_a_verdict_on_an_earlier_life_of_a_contract_is_dropped(offline: Ingestion) -> None:
    store = OutcomeStore(offline.outbox)
    await gone(offline, standing(1))
    async with offline.engine.connect() as connection:
        (probed,) = await outcomes.due(connection, 5)
    await offline.merge(whole_list(standing(1), standing(10**9), at=GONE + timedelta(minutes=20)))
    await offline.merge(whole_list(standing(10**9), at=GONE + timedelta(minutes=40)))

    async with offline.engine.begin() as connection:
        assert await store.settle(connection, [Verdict(probed, "accepted", None)]) == 0

    assert await outcome(offline) == ("unknown", True)


async def test_probes_have_a_small_budget_and_the_newest_come_first(engine: AsyncEngine) -> None:
    async with scripted_esi(items_of(lambda _: REMOVED)) as esi, ingestion(engine, esi.url) as ingestor:
        await gone(ingestor, *(standing(number) for number in range(1, 31)))
        await ingestor.execute(
            "UPDATE contracts SET outcome_due_at = now() - contract_id * interval '1 second'"
            " WHERE outcome_due_at IS NOT NULL"
        )

        assert [await ask(ingestor), await ask(ingestor)] == ["succeeded", "skipped"]
        asked = {int(target.rsplit("/", 1)[1]) for target in esi.targets()}
        assert asked == set(range(1, PROBES_PER_MINUTE + 1))

        await hurry(ingestor)
        assert await ask(ingestor) == "succeeded"
        assert await ingestor.value("SELECT count(*) FROM contracts WHERE outcome = 'withdrawn'") == 30


async def test_couriers_are_not_probed(engine: AsyncEngine) -> None:
    async with scripted_esi(items_of(lambda _: EMPTY)) as esi, ingestion(engine, esi.url) as ingestor:
        await gone(ingestor, standing(1, type="courier"), standing(2, type="loan"))

        assert await ask(ingestor) == "skipped"

        assert esi.asked == []


async def test_a_probe_delists_nothing(engine: AsyncEngine) -> None:
    async with scripted_esi(items_of(lambda _: ACCEPTED)) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.merge(whole_list(standing(1), at=LISTED))
        await ingestor.execute("UPDATE contracts SET outcome_due_at = now()")

        assert await ask(ingestor) == "skipped"

        row = await ingestor.row("SELECT delisted_at, outcome FROM contracts")
        assert tuple(row) == (None, None)
        assert await ingestor.sent(ContractDelisted) == []


async def test_every_end_that_upstream_tells_is_understood(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    ends = {"accepted": "accepted", "deleted": "withdrawn", "not_public": "unknown", "empty": "unknown"}
    ids = esi.control("list", region_id=10000002, count=len(ends))["contract_ids"]
    for contract_id, end in zip(ids, ends, strict=True):
        esi.control("vanish", contract_ids=[contract_id], outcome=end)
    await gone(ingestor, *(standing(contract_id) for contract_id in ids))

    assert await ask(ingestor) == "succeeded"

    found = [(await outcome(ingestor, contract_id))[0] for contract_id in ids]
    assert found == list(ends.values())
