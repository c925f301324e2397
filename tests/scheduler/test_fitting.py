"""What would ask for more than upstream grants is refused, beside what is at work already."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import structlog
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, Scope
from common.ids import new_id
from common.messaging.outbox import Outbox
from common.slots import Definition
from common.tables import coverage, runs, sweeps, upstream_limits
from scheduler import defaults
from scheduler.controls import Controls
from scheduler.settings import SchedulerSettings
from support.schedules import Schedules, body_of, interval

CUTS, CUT_SECONDS = 80, 0.0004
"""A decision takes some thirty of these steps."""
PRICES: dict[str, Any] = {"name": "prices", "kind": "interval", "dataset": Dataset.PRICES}


@pytest.fixture
def ask(kept: Schedules, controls: Controls) -> Any:
    async def asked(control: str, schedule_id: str, body: Any = None) -> Any:
        request_id = await kept.ask(control, schedule_id, body)
        assert await controls.apply() == 1
        return await kept.answer(request_id)

    return asked


def prices(seconds: int) -> Definition:
    return Definition(**PRICES, every_seconds=seconds)


async def ran(engine: AsyncEngine, requests: int, *, times: int = 1, **more: Any) -> None:
    """Runs of a region that took so many requests each."""
    row = {"dataset": "contracts", "scope": {"region_id": 1}, "source": "schedule", "state": "succeeded", **more}
    async with engine.begin() as connection:
        for _ in range(times):
            values = {**row, "run_id": new_id(), "upstream_requests": requests, "finished_at": text("now()")}
            await connection.execute(insert(runs).values(values))


async def read(engine: AsyncEngine, kept: Schedules, region_id: int, pages: int, *, lifetime: timedelta) -> None:
    """A region's list, as the last sweep found it."""
    now = await kept.now()
    of = {"region_id": region_id, "generation": now, "fresh_until": now + lifetime, "swept_at": now}
    counts = dict.fromkeys(("fetched", "listed", "changed", "unchanged", "rejected", "delisted"), 0)
    sweep = {**of, **counts, "run_id": new_id(), "complete": True, "pages": pages}
    async with engine.begin() as connection:
        await connection.execute(insert(coverage).values(of))
        await connection.execute(insert(sweeps).values(sweep))


async def test_a_schedule_that_does_not_fit_is_refused_with_the_arithmetic_and_made_by_force(
    kept: Schedules, ask: Any
) -> None:
    await ask("create", "others", body_of(prices(300)))

    refused = await ask("create", "mine", body_of(prices(10)))

    assert refused.status == 409
    assert "10,800 may be planned" in refused.detail
    (budget,) = refused.result["budgets"]
    assert budget["this"] == {"schedule_id": "mine", "alike": 1, "slots": 90, "requests": 36_000, "wanted": 72_000}
    assert [(each["schedule_id"], each["wanted"]) for each in budget["others"]] == [("others", 2_400)]
    assert (budget["group"], budget["window_seconds"], budget["allowance"]) == ("market-order", 900, 12_000)
    assert (budget["allowed"], budget["wanted"], budget["unit"]) == (10_800, 74_400, "tokens")
    assert await kept.row("mine") is None
    assert (await ask("create", "mine", body_of(prices(10), force=True))).status == 201


async def test_of_two_that_fit_alone_and_not_together_the_second_is_refused(
    kept: Schedules, controls: Controls
) -> None:
    both = [await kept.ask("create", name, body_of(prices(90))) for name in ("one", "other")]

    assert await controls.apply() == 2

    assert [(await kept.answer(each)).status for each in both] == [201, 409]


async def test_what_another_replica_changed_since_counts(kept: Schedules, acting: AsyncEngine) -> None:
    one, other = (Controls(acting, Outbox("scheduler")) for _ in range(2))

    async def status(controls: Controls, control: str, name: str, body: Any = None) -> int:
        request_id = await kept.ask(control, name, body)
        await controls.apply()
        return int((await kept.answer(request_id)).status)

    assert await status(one, "create", "first", body_of(prices(100))) == 201
    assert await status(other, "create", "second", body_of(prices(100))) == 409
    assert await status(other, "pause", "first") == 200
    assert await status(one, "create", "second", body_of(prices(100))) == 201
    assert await status(other, "resume", "first") == 409
    assert await status(other, "delete", "second") == 204
    assert await status(one, "resume", "first") == 200
    assert await status(other, "replace", "first", body_of(prices(900))) == 200
    assert await status(one, "create", "second", body_of(prices(100))) == 201


async def test_wherever_a_decision_is_cut_off_the_next_one_counts_everybody(
    engine: AsyncEngine, kept: Schedules, controls: Controls, ask: Any
) -> None:
    await ask("create", "others", body_of(prices(100)))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE schedules SET updated_at = now() - interval '1 day'"))

    for cut in range(CUTS):
        async with engine.begin() as connection:  # what upstream grants is new, so that all is counted anew
            await connection.execute(text("DELETE FROM upstream_limits"))
            await connection.execute(
                insert(upstream_limits).values(name="other", allowance=1_000 + cut, window_seconds=900)
            )
        request_id = await kept.ask("create", "mine", body_of(prices(100)))
        with suppress(TimeoutError):
            async with asyncio.timeout(cut * CUT_SECONDS):
                await controls.apply()
        await controls.apply()

        assert (await kept.answer(request_id)).status == 409, cut


async def test_what_rests_asks_for_nothing_until_it_is_resumed(kept: Schedules, ask: Any) -> None:
    assert (await ask("create", "mine", body_of(prices(10), paused=True))).status == 201

    assert (await ask("create", "fits", body_of(prices(300)))).status == 201
    assert (await ask("resume", "mine")).status == 409
    assert (await ask("replace", "mine", body_of(prices(10), paused=False))).status == 409
    assert (await kept.row("mine")).paused
    assert (await ask("resume", "mine", {"force": True})).status == 200


async def test_an_edit_is_refused_only_if_it_asks_for_more(kept: Schedules, ask: Any) -> None:
    await ask("create", "mine", body_of(prices(20), force=True))

    assert (await ask("replace", "mine", body_of(prices(20), note="forced"))).status == 200
    assert (await ask("replace", "mine", body_of(prices(40)))).status == 200
    assert (await ask("replace", "mine", body_of(prices(10)))).status == 409
    assert (await ask("resume", "mine")).status == 200
    assert (await kept.row("mine")).every_seconds == 40
    assert (await ask("create", "other", body_of(prices(300)))).status == 409
    assert (await ask("create", "elsewhere", body_of(interval(900)))).status == 201


async def test_what_runs_took_counts_once_there_were_three_and_a_first_load_does_not(
    engine: AsyncEngine, kept: Schedules, ask: Any
) -> None:
    await kept.add(interval(600, scope=Scope(region_id=2)), "other")
    await read(engine, kept, 1, pages=50, lifetime=timedelta(minutes=30))

    async def requests() -> float:
        refused = await ask("create", "mine", body_of(interval(1, scope=Scope(region_id=1))))
        assert refused.status == 409, refused
        (budget,) = refused.result["budgets"]
        return float(budget["this"]["requests"] / budget["this"]["slots"])

    assert await requests() == 50
    await ran(engine, 40_000, items_wanted=39_950)
    await ran(engine, 20, times=2)
    assert await requests() == 50
    await ran(engine, 90)
    assert await requests() == 20
    await ran(engine, 0, state="skipped", times=3)
    assert await requests() == 10


async def test_what_follows_upstream_is_planned_by_its_list_s_life(
    engine: AsyncEngine, kept: Schedules, ask: Any
) -> None:
    follows = Definition(
        name="x",
        kind="upstream",
        every_seconds=1800,
        min_seconds=1,
        max_seconds=3600,
        dataset=Dataset.CONTRACTS,
        scope=Scope(region_id=1),
    )
    assert (await ask("create", "unknown", body_of(follows))).status == 201
    await read(engine, kept, 1, pages=34, lifetime=timedelta(seconds=2))

    refused = await ask("create", "mine", body_of(follows))

    assert refused.result["budgets"][0]["this"]["slots"] == 450


async def test_a_bucket_that_upstream_told_of_is_kept_to(engine: AsyncEngine, kept: Schedules, ask: Any) -> None:
    await kept.add(interval(900), "others")
    assert (await ask("create", "a", body_of(interval(300)))).status == 201
    bucket = {"name": "contract", "allowance": 600, "window_seconds": 900, "routes": ["/contracts/public/*"]}
    async with engine.begin() as connection:
        await connection.execute(insert(upstream_limits).values(bucket))

    refused = await ask("create", "b", body_of(interval(150)))

    assert [each["group"] for each in refused.result["budgets"]] == ["contract"]
    assert refused.result["budgets"][0]["wanted"] == 68 + 204 + 408
    assert refused.status == 409


async def test_a_bucket_that_is_known_from_documents_is_as_large_as_upstream_tells(
    engine: AsyncEngine, ask: Any
) -> None:
    bucket = {"name": "market-order", "allowance": 3_000, "window_seconds": 900, "routes": []}
    async with engine.begin() as connection:
        await connection.execute(insert(upstream_limits).values(bucket))

    refused = await ask("create", "mine", body_of(prices(225)))

    (budget,) = refused.result["budgets"]
    assert (budget["group"], budget["allowed"], budget["wanted"]) == ("market-order", 2_700, 3_200)


async def test_what_cannot_be_read_stands_in_nobody_s_way(kept: Schedules, ask: Any) -> None:
    await kept.add(interval(60), "weather")
    await kept.change("weather", dataset="weather")
    await kept.add(Definition(**{**PRICES, "kind": "cron"}, cron="* * * * *", zone="UTC"), "gone")
    await kept.change("gone", zone="Gone/Away")

    assert (await ask("create", "mine", body_of(prices(300)))).status == 201


async def test_default_schedules_of_all_regions_fit_and_it_is_said_if_schedules_do_not(
    kept: Schedules, acting: AsyncEngine, database_url: str
) -> None:
    ids = tuple(range(10000001, 10000115))
    settings = SchedulerSettings(database_url=database_url, kafka_bootstrap_servers="127.0.0.1:1", region_ids=ids)

    with structlog.testing.capture_logs() as lines:
        await defaults.define(acting, settings)
        quiet = [line["event"] for line in lines if line["log_level"] == "warning"]
        await kept.add(prices(1), "greedy")
        await defaults.define(acting, settings)

    (warning,) = [line for line in lines if line["log_level"] == "warning"]
    assert quiet == []
    assert (warning["group"], warning["allowed"], warning["largest"][0]) == ("market-order", 10_800, "greedy")
