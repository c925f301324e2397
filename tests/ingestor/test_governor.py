"""How long we wait, and what of upstream's headers we believe."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common.settings import DatabaseSettings
from ingestor.domain.retrying import LONGEST_AWAY, pause_after, pause_while_away
from ingestor.esi.client import Traffic
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.governor import DOWN_SECONDS, FAILURES_IN_A_ROW, LONGEST_PAUSE_SECONDS, Governor, Share, seconds
from ingestor.esi.limits import LOOK_SECONDS, SharedLimits
from support.ingestion import client
from support.scripted_esi import answer, scripted_esi
from support.simulated_esi import SimulatedEsi
from support.stand_ins import eventually


@given(st.integers(-5, 10_000))
def test_pauses_double_from_five_seconds_and_never_exceed_five_minutes(attempts: int) -> None:
    pause = pause_after(attempts)

    assert timedelta(seconds=5) <= pause <= timedelta(minutes=5)
    assert pause_after(attempts + 1) in {pause * 2, pause, timedelta(minutes=5)}


@given(st.timedeltas(timedelta(seconds=-10), timedelta(days=365)))
def test_waiting_for_an_absent_upstream_slows_down_but_never_ends(waiting: timedelta) -> None:
    assert timedelta(seconds=5) <= pause_while_away(waiting) <= LONGEST_AWAY


@pytest.mark.parametrize(
    "header",
    [None, "", " ", "nan", "inf", "-inf", "-1", "soon", "1e999", "0x10", "Wed, 21 Oct 2026 07:28:00 GMT", "\x00"],
)
def test_a_header_that_is_no_number_of_seconds_says_nothing(header: str | None) -> None:
    assert seconds(header) is None


@given(st.floats(0, allow_nan=False, allow_infinity=False))
def test_a_readable_header_is_believed(number: float) -> None:
    assert seconds(str(number)) == number


@given(st.text())
def test_no_header_can_break_the_governor(header: str) -> None:
    found = seconds(header)

    assert found is None or 0 <= found < float("inf")


@pytest.mark.parametrize("status", [420, 429])
@pytest.mark.parametrize("wait", ["1e300", "inf", "nan", "-5", "later", None])
async def test_a_refusal_with_any_header_pauses_for_a_bounded_time(status: int, wait: str | None) -> None:
    governor = Governor(1)

    governor.observe("/status", status, {} if wait is None else {"Retry-After": wait})

    with pytest.raises(UpstreamUnavailableError) as paused:
        async with governor.admitted():
            pass
    assert timedelta(seconds=30) < paused.value.after <= timedelta(seconds=LONGEST_PAUSE_SECONDS + 1)


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    governor = Governor(1)

    governor.pause(600, "first")
    governor.pause(0, "second")

    with pytest.raises(UpstreamUnavailableError, match="first"):
        async with governor.admitted():
            pass


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {}),
        (404, {}),
        (500, {"X-Esi-Error-Limit-Remain": "many"}),
        (404, {"X-Esi-Error-Limit-Remain": "nan", "X-Esi-Error-Limit-Reset": "inf"}),
        (200, {"X-Esi-Error-Limit-Remain": "0", "X-Esi-Error-Limit-Reset": "60"}),
        (404, {"X-Esi-Error-Limit-Remain": "31", "X-Esi-Error-Limit-Reset": "60"}),
    ],
)
async def test_absent_unreadable_and_stale_headers_pause_nothing(status: int, headers: dict[str, str]) -> None:
    governor = Governor(1)

    governor.observe("/status", status, headers)

    async with governor.admitted():
        pass


async def test_errors_that_run_out_pause_before_the_last_one_is_spent() -> None:
    governor = Governor(1)

    governor.observe("/status", 404, {"X-Esi-Error-Limit-Remain": "10", "X-Esi-Error-Limit-Reset": "42"})

    with pytest.raises(UpstreamUnavailableError, match="10 errors left"):
        async with governor.admitted():
            pass


@pytest.mark.parametrize(("status", "headers"), [(420, {}), (429, {"Retry-After": "120"})])
async def test_no_request_leaves_while_upstream_wants_none(
    esi: SimulatedEsi, status: int, headers: dict[str, str]
) -> None:
    esi.control("faults", route="status", status=status, headers=headers, count=50)
    before = esi.get("/_simulator/stats").content["total"]

    async with client(esi.url) as upstream:
        for _ in range(5):
            with pytest.raises(UpstreamUnavailableError, match="paused"):
                await upstream.get("/status", traffic=Traffic())

        assert esi.get("/_simulator/stats").content["total"] == before + 1
        assert upstream.health.ok is False


async def test_a_backlog_never_takes_the_part_that_is_kept_for_discovery() -> None:
    governor = Governor(8)
    inside: list[Share] = []

    async def stay(share: Share) -> None:
        async with governor.admitted(share=share):
            inside.append(share)
            await asyncio.sleep(3600)

    backlog = [asyncio.create_task(stay(Share.BULK)) for _ in range(30)]
    await asyncio.sleep(0)
    sweep = asyncio.create_task(stay(Share.DISCOVERY))
    await asyncio.sleep(0)

    assert (inside.count(Share.BULK), inside.count(Share.DISCOVERY)) == (7, 1)
    for task in [*backlog, sweep]:
        task.cancel()
    await asyncio.gather(*backlog, sweep, return_exceptions=True)
    async with governor.admitted():
        assert inside.count(Share.BULK) == 7


async def test_who_waits_for_a_slot_is_sent_away_by_a_pause() -> None:
    governor = Governor(1)
    async with governor.admitted():
        waiting = asyncio.create_task(_enter(governor))
        await asyncio.sleep(0)
        governor.pause(60, "enough")
        with pytest.raises(UpstreamUnavailableError, match="enough"):
            await waiting


async def test_requests_under_way_never_outnumber_the_errors_that_are_left() -> None:
    governor = Governor(50)
    governor.observe("/status", 404, {"X-Esi-Error-Limit-Remain": "36", "X-Esi-Error-Limit-Reset": "50"})
    governor.replicas = 2

    tasks = [asyncio.create_task(_enter(governor, stay=True)) for _ in range(20)]
    await asyncio.sleep(0)

    assert governor.under_way == 3  # of 6 above the reserve, for two replicas
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert governor.under_way == 0


async def test_an_upstream_that_only_fails_is_asked_one_request_at_a_time_until_it_answers() -> None:
    governor = Governor(20)
    for _ in range(FAILURES_IN_A_ROW):
        governor.observe("/status", 503, {})
    with pytest.raises(UpstreamUnavailableError, match="again and again"):
        await _enter(governor)

    await asyncio.sleep(DOWN_SECONDS[0])
    probes = [asyncio.create_task(_enter(governor, stay=True)) for _ in range(5)]
    await asyncio.sleep(0)
    assert governor.under_way == 1
    governor.observe("/status", 200, {})
    await asyncio.sleep(0)

    assert governor.under_way == 5
    for task in probes:
        task.cancel()
    await asyncio.gather(*probes, return_exceptions=True)


async def test_an_empty_token_bucket_pauses_its_own_routes_only() -> None:
    governor = Governor(5)
    bucket = {"X-Ratelimit-Group": "market-order", "X-Ratelimit-Limit": "12000/15m", "X-Ratelimit-Remaining": "3"}
    governor.observe("/markets/10000002/orders", 200, bucket)

    with pytest.raises(UpstreamUnavailableError, match="3 tokens left"):
        await _enter(governor, "/markets/10000043/orders")
    await _enter(governor, "/contracts/public/10000002")

    governor.observe("/markets/10000002/orders", 429, {**bucket, "Retry-After": "30"})
    assert governor.paused("/markets/1/orders") is not None
    assert governor.paused("/contracts/public/10000002") is None


async def test_the_games_own_limiter_is_waited_for_in_its_microseconds() -> None:
    said = answer({"error": 'ConStopSpamming, details: {"remainingTime": 64226997}'}, status=520)
    async with scripted_esi(lambda _: said) as script, client(script.url) as upstream:
        with pytest.raises(UpstreamUnavailableError) as paused:
            await upstream.get("/contracts/public/items/7", traffic=Traffic())
        with pytest.raises(UpstreamUnavailableError, match="ConStopSpamming"):
            await upstream.get("/contracts/public/items/8", traffic=Traffic())

        assert len(script.asked) == 1
        assert timedelta(seconds=60) < paused.value.after < timedelta(seconds=65)


async def test_a_pause_of_one_replica_is_kept_by_all_and_by_one_that_starts_later(
    engine: AsyncEngine, database: DatabaseSettings
) -> None:
    one, other, late = Governor(5), Governor(5), Governor(5)
    async with sharing(one, database), sharing(other, database):
        await until(lambda: _listening(engine, 2))
        one.observe("/status", 420, {"X-Esi-Error-Limit-Reset": "41"})
        await eventually(lambda: other.paused() is not None)

        async with sharing(late, database):
            await eventually(lambda: late.paused() is not None)

    pause = other.paused()
    assert pause is not None
    assert pause.reason == "ESI answered 420"
    assert 30 < pause.until - time.monotonic() <= 41


async def test_replicas_share_the_errors_that_are_left_from_the_moment_they_connect(
    engine: AsyncEngine, database: DatabaseSettings
) -> None:
    governor = Governor(5)
    governor.observe("/status", 404, {"X-Esi-Error-Limit-Remain": "77", "X-Esi-Error-Limit-Reset": "30"})

    async with sharing(governor, database):
        await until(lambda: _reported(engine, 77))
        async with sharing(Governor(5), database), sharing(Governor(5), database):
            async with asyncio.timeout(LOOK_SECONDS / 2):
                await eventually(lambda: governor.replicas == 3)
        await eventually(lambda: governor.replicas == 1)


async def test_a_bucket_is_told_with_its_window_and_the_routes_that_any_replica_saw_in_it(
    engine: AsyncEngine, database: DatabaseSettings
) -> None:
    granted = {"X-Ratelimit-Group": "contract", "X-Ratelimit-Limit": "600/15m", "X-Ratelimit-Remaining": "598"}
    one, other = Governor(5), Governor(5)
    one.observe("/contracts/public/10000002", 200, granted)
    other.observe("/contracts/public/items/7", 200, granted)
    other.observe("/contracts/public/10000043", 200, granted)

    async def told() -> tuple[object, ...] | None:
        query = text("SELECT allowance, window_seconds, routes FROM upstream_limits WHERE name = 'contract'")
        async with engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else tuple(row)

    async def has(expected: tuple[object, ...]) -> bool:
        return await told() == expected

    async with sharing(one, database):
        await until(lambda: has((600, 900, ["/contracts/public/*"])))
    async with sharing(other, database):
        await until(lambda: has((600, 900, ["/contracts/public/*", "/contracts/public/items/*"])))
    async with sharing(one, database):
        await until(lambda: _listening(engine, 1))
    assert await has((600, 900, ["/contracts/public/*", "/contracts/public/items/*"]))


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():  # noqa: ASYNC110 - the database sets no event of ours
        await asyncio.sleep(0.02)


async def _enter(governor: Governor, path: str = "", *, stay: bool = False) -> None:
    async with governor.admitted(path):
        if stay:
            await asyncio.sleep(3600)


@asynccontextmanager
async def sharing(governor: Governor, database: DatabaseSettings) -> AsyncIterator[None]:
    task = asyncio.create_task(SharedLimits(governor, database).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _listening(engine: AsyncEngine, replicas: int) -> bool:
    async with engine.connect() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = :name AND state = 'idle'"
        return int(await connection.scalar(text(query), {"name": "freeport-ingestor-limits"}) or 0) >= replicas


async def _reported(engine: AsyncEngine, remaining: int) -> bool:
    async with engine.connect() as connection:
        told = await connection.scalar(text("SELECT remaining FROM upstream_limits WHERE name = 'errors'"))
        return bool(told == remaining)
