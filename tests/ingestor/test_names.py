"""Whom the market speaks of."""

import json
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, IngestRequested
from common.ids import new_id
from ingestor.datasets.names import ERRORS_PER_RUN, REQUESTS_PER_MINUTE
from ingestor.domain.bisecting import Bisection
from ingestor.esi.models import Name
from ingestor.stores import names
from support.ingestion import Ingestion, ingestion
from support.scripted_esi import Asked, ScriptedEsi, answer, scripted_esi
from support.simulated_esi import SimulatedEsi

UNKNOWN = 55_000_000
"""Numbers that the game never gave to anybody."""


async def wanted(ingestor: Ingestion, *ids: int) -> None:
    for number in ids:
        await ingestor.execute("INSERT INTO names (entity_id, due_at) VALUES (:id, now())", id=number)


async def named(ingestor: Ingestion) -> dict[int, str | None]:
    return {row.entity_id: row.name for row in await ingestor.rows("SELECT entity_id, name FROM names")}


async def ask(ingestor: Ingestion) -> str:
    run_id = new_id()
    await ingestor.deliver(IngestRequested(dataset=Dataset.NAMES, run_id=run_id))
    return str((await ingestor.run(run_id)).state)


def resolving(*unknown: int, fail_from: int = 10**9) -> Callable[[Asked], bytes]:
    """A script that knows everybody but `unknown`, and is down from its request number `fail_from` on."""
    count = 0

    def script(asked: Asked) -> bytes:
        nonlocal count
        count += 1
        ids = json.loads(asked.body)
        if count >= fail_from:
            return answer({"error": "too many"}, status=420)
        if set(ids) & set(unknown):
            return answer({"error": "Ensure all IDs are valid before resolving."}, status=404)
        return answer([{"id": number, "name": f"N{number}", "category": "character"} for number in ids])

    return script


def errors(esi: ScriptedEsi, unknown: Sequence[int]) -> int:
    """Requests that were refused because of one of the `unknown`."""
    return sum(not set(json.loads(asked.body)).isdisjoint(unknown) for asked in esi.asked)


async def test_one_unknown_id_spoils_nobody_elses_name_and_is_postponed(ingestor: Ingestion, esi: SimulatedEsi) -> None:
    del esi
    known = [90_000_000 + number for number in range(30)]
    await wanted(ingestor, *known, UNKNOWN)

    assert await ask(ingestor) == "succeeded"

    found = await named(ingestor)
    assert all(found[number] for number in known)
    row = await ingestor.row("SELECT *, due_at > now() AS later FROM names WHERE name IS NULL")
    assert (row.entity_id, row.attempts, row.later) == (UNKNOWN, 1, True)
    assert await ask(ingestor) == "skipped"


async def test_what_was_learnt_before_upstream_refused_is_kept(engine: AsyncEngine) -> None:
    script = resolving(8, fail_from=4)
    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await wanted(ingestor, *range(1, 9))

        assert await ask(ingestor) == "partial"

        found = await named(ingestor)
        assert [number for number, name in found.items() if name] == [1, 2, 3, 4, 5, 6]
        assert await ingestor.value("SELECT count(*) FROM names WHERE name IS NULL AND due_at <= now()") == 2


async def test_many_unknown_ids_are_worked_off_run_by_run_within_a_bound(engine: AsyncEngine) -> None:
    unknown = range(1, 200, 2)
    async with scripted_esi(resolving(*unknown)) as esi, ingestion(engine, esi.url) as ingestor:
        await wanted(ingestor, *range(1, 200))

        assert await ask(ingestor) == "succeeded"

        assert errors(esi, unknown) == ERRORS_PER_RUN
        settled = await ingestor.value("SELECT count(*) FROM names WHERE name IS NOT NULL OR due_at > now()")
        assert settled >= 10
        rest = await ingestor.value("SELECT count(*) FROM names WHERE name IS NULL AND due_at <= now()")
        assert rest == 199 - settled


async def test_no_more_requests_are_made_in_a_minute_than_their_part(engine: AsyncEngine) -> None:
    unknown = range(1, 200, 2)
    async with scripted_esi(resolving(*unknown)) as esi, ingestion(engine, esi.url) as ingestor:
        await wanted(ingestor, *range(1, 200))

        states = [await ask(ingestor) for _ in range(3)]

        assert (states[0], states[-1], len(esi.asked)) == ("succeeded", "skipped", REQUESTS_PER_MINUTE)
        await ingestor.execute("UPDATE runs SET finished_at = now() - interval '61 seconds'")
        assert await ask(ingestor) == "succeeded"


async def test_an_id_that_was_unknown_before_is_asked_for_alone_and_after_all_others(engine: AsyncEngine) -> None:
    async with scripted_esi(resolving(5)) as esi, ingestion(engine, esi.url) as ingestor:
        await wanted(ingestor, *range(1, 10))
        await ingestor.execute("UPDATE names SET attempts = 1 WHERE entity_id = 5")

        await ask(ingestor)

        assert [json.loads(asked.body) for asked in esi.asked] == [[1, 2, 3, 4, 6, 7, 8, 9], [5]]
        assert await ingestor.value("SELECT attempts FROM names WHERE entity_id = 5") == 2


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(1, 60), min_size=1), st.data())
def test_a_bisection_blames_exactly_the_bad_ones_and_asks_for_no_batch_twice(
    ids: set[int], data: st.DataObject
) -> None:
    bad = data.draw(st.sets(st.sampled_from(sorted(ids))))
    bisection, asked, resolved = Bisection([sorted(ids)]), list[Sequence[int]](), set[int]()

    while (batch := bisection.next()) is not None:
        asked.append(batch)
        if bad.isdisjoint(batch):
            resolved.update(batch)
            bisection.good()
        else:
            bisection.spoiled()

    assert (resolved, set(bisection.bad)) == (ids - bad, bad)
    assert len(asked) == len({tuple(batch) for batch in asked})


async def test_an_id_that_stays_unknown_is_asked_for_seldom(offline: Ingestion) -> None:
    await wanted(offline, UNKNOWN)

    for _ in range(6):
        async with offline.engine.begin() as connection:
            await names.postpone(connection, [UNKNOWN])

    row = await offline.row("SELECT attempts, due_at > now() + interval '6 days' AS seldom FROM names")
    assert (row.attempts, row.seldom) == (5, True)


async def test_a_known_name_is_never_blanked(engine: AsyncEngine) -> None:
    empty = answer([{"id": 1, "name": "", "category": "character"}])
    async with scripted_esi(lambda _: empty) as esi, ingestion(engine, esi.url) as ingestor:
        await wanted(ingestor, 1, 2)
        async with ingestor.engine.begin() as connection:
            await names.learn(connection, [Name(2, "Known\x00", "character")])
            await names.learn(connection, [Name(2, "", "character")])
            await names.postpone(connection, [2])

        await ask(ingestor)

        assert await named(ingestor) == {1: None, 2: "Known"}
        assert await ingestor.value("SELECT count(*) FROM names WHERE due_at <= now()") == 0


@pytest.mark.parametrize(
    ("said", "state"), [(answer({"error": "no"}, status=403), "failed"), (answer(b"<html>"), "queued")]
)
async def test_a_refusal_fails_the_run_and_an_unreadable_answer_puts_it_off(
    engine: AsyncEngine, said: bytes, state: str
) -> None:
    async with scripted_esi(lambda _: said) as esi, ingestion(engine, esi.url) as ingestor:
        await wanted(ingestor, 1)

        assert await ask(ingestor) == state
