import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from api.schemas.runs import Run, RunPage
from common.ids import new_id
from support.market_rows import NOW, THE_FORGE, MarketRows
from support.served_api import ServedApi

RUNS = "/api/v1/data/runs"


async def ids(api: ServedApi, **params: Any) -> list[UUID]:
    return [UUID(run["run_id"]) for run in (await api.get(RUNS, params=params)).content["items"]]


async def test_a_run_shows_its_counts_and_the_slot_that_caused_it(api: ServedApi, rows: MarketRows) -> None:
    run_id = await rows.run("partial", source="schedule", reason="a page was missing", attempts=2, fetched=9, listed=9)
    await rows.slot(run_id)

    reply = await api.get(f"{RUNS}/{run_id}")
    run = Run.model_validate_json(reply.body, extra="forbid")

    assert set(reply.content) == set(Run.model_fields)
    assert (run.state, run.source, run.reason, run.attempts) == ("partial", "schedule", "a page was missing", 2)
    assert (run.counts.fetched, run.counts.items_done) == (9, 0)
    assert (run.schedule_id, run.slot_at) == ("contracts:10000002", NOW)


async def test_a_run_that_the_api_accepted_is_queued_until_somebody_takes_it_up(
    api: ServedApi, rows: MarketRows
) -> None:
    run_id = await rows.request(accepted_at=NOW - timedelta(minutes=1))
    queued = Run.model_validate_json((await api.get(f"{RUNS}/{run_id}")).body)

    await rows.run("running", run_id=run_id, started_at=NOW)
    running = Run.model_validate_json((await api.get(f"{RUNS}/{run_id}")).body)

    assert (queued.state, queued.source, queued.counts.fetched) == ("queued", "api", 0)
    assert (running.state, running.source) == ("running", "api")
    assert queued.accepted_at == running.accepted_at == NOW - timedelta(minutes=1)


async def test_a_run_that_nobody_asked_for_is_not_found(api: ServedApi) -> None:
    unknown, malformed = await api.get(f"{RUNS}/{new_id()}"), await api.get(f"{RUNS}/7")

    assert unknown.status == 404
    assert (malformed.status, malformed.wrong_fields) == (422, ["run_id"])


async def test_runs_of_every_source_are_listed_the_newest_first(api: ServedApi, rows: MarketRows) -> None:
    oldest = await rows.run(accepted_at=NOW - timedelta(hours=3))
    taken_up = await rows.request(accepted_at=NOW - timedelta(hours=2))
    await rows.run("running", run_id=taken_up, accepted_at=NOW)
    queued = await rows.request(accepted_at=NOW - timedelta(hours=1))
    newest = await rows.run("running", accepted_at=NOW)

    page = RunPage.model_validate_json((await api.get(RUNS)).body, extra="forbid")

    assert [run.run_id for run in page.items] == [newest, queued, taken_up, oldest]
    assert page.next_cursor is None


async def test_runs_are_filtered_by_state_and_dataset(api: ServedApi, rows: MarketRows) -> None:
    failed = await rows.run("failed", accepted_at=NOW)
    queued = await rows.request(accepted_at=NOW - timedelta(hours=1))
    names = await rows.run("succeeded", dataset="names", scope={}, accepted_at=NOW - timedelta(hours=2))

    assert await ids(api, state="queued") == [queued]
    assert await ids(api, state=["failed", "queued"]) == [failed, queued]
    assert await ids(api, dataset="names") == [names]
    assert await ids(api, dataset="contracts", state="succeeded") == []
    assert (await api.get(RUNS, params={"state": "lost"})).wrong_fields == ["state"]
    assert (await api.get(RUNS, params={"dataset": "wares"})).wrong_fields == ["dataset"]


async def test_pages_hold_every_run_once_also_where_instants_are_equal(api: ServedApi, rows: MarketRows) -> None:
    known = [await rows.run(accepted_at=NOW) for _ in range(4)]
    known += [await rows.request(accepted_at=NOW) for _ in range(4)]
    known += [await rows.run("running", run_id=await rows.request(accepted_at=NOW)) for _ in range(3)]

    pages = await api.pages(RUNS, limit=3)

    seen = [UUID(run["run_id"]) for page in pages for run in page]
    assert [len(page) for page in pages] == [3, 3, 3, 2]
    assert seen == sorted(known, reverse=True)


async def test_a_run_keeps_its_place_in_the_pages_when_it_is_taken_up(api: ServedApi, rows: MarketRows) -> None:
    known = [await rows.request(accepted_at=NOW - timedelta(minutes=number)) for number in range(4)]
    first = (await api.get(RUNS, params={"limit": 2})).content

    await asyncio.gather(*(rows.run("running", run_id=run_id) for run_id in known))
    second = (await api.get(RUNS, params={"limit": 2, "cursor": first["next_cursor"]})).content

    assert [UUID(run["run_id"]) for run in first["items"] + second["items"]] == known
    assert {run["scope"]["region_id"] for run in second["items"]} == {THE_FORGE}
