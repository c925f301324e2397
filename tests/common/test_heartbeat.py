import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common.heartbeat import STALE_SECONDS, STALLED_POLL_SECONDS, Heartbeat, stalled
from common.tables import heartbeats

NOW_MS = 1_800_000_000_000


def consumer(*, partitions: int = 1, polled_seconds_ago: float | None = 0) -> dict[str, Any]:
    polled = None if polled_seconds_ago is None else NOW_MS - int(polled_seconds_ago * 1000)
    return {"consumers": {"a.topic": {"partitions": partitions, "polled_at_ms": polled}}}


async def asked(database_url: str, service: str = "ingestor") -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "common.heartbeat", service),
        env={"PATH": "/usr/bin:/bin", "DATABASE_URL": database_url},
        stderr=subprocess.PIPE,
    )
    _, complained = await process.communicate()
    return process.returncode, complained.decode()


async def test_the_health_check_tells_a_living_process_from_one_that_is_silent_stuck_or_was_never_there(
    engine: AsyncEngine, database_url: str
) -> None:
    progress: dict[str, Any] = {}
    heartbeat = Heartbeat(engine, "ingestor", lambda: progress)

    never, _ = await asked(database_url)
    await heartbeat.beat()
    healthy, nothing = await asked(database_url)
    progress |= {"consumers": {"t": {"partitions": 1, "polled_at_ms": int((time.time() - 1000) * 1000)}}}
    await heartbeat.beat()
    stuck, says_stuck = await asked(database_url)
    async with engine.begin() as connection:
        long_ago = heartbeats.c.beat_at - text(f"interval '{STALE_SECONDS + 1} seconds'")
        await connection.execute(update(heartbeats).values(beat_at=long_ago))
    silent, says_silent = await asked(database_url)

    assert (never, healthy, stuck, silent) == (1, 0, 1, 1)
    assert nothing == ""
    assert "the consumer of t was last polled" in says_stuck
    assert "was last heard" in says_silent


async def test_a_database_that_is_away_is_no_fault_of_the_process_and_is_said_in_a_line() -> None:
    code, says = await asked("postgresql://freeport@127.0.0.1:1/nothing")

    assert code == 0
    assert says.startswith("database: ")
    assert says.count("\n") == 1


@pytest.mark.parametrize(
    ("progress", "is_stalled"),
    [
        ({}, False),
        (consumer(polled_seconds_ago=1), False),
        (consumer(polled_seconds_ago=STALLED_POLL_SECONDS + 1), True),
        (consumer(polled_seconds_ago=None), False),
        (consumer(partitions=0, polled_seconds_ago=STALLED_POLL_SECONDS + 1), False),
    ],
)
def test_a_consumer_that_holds_partitions_and_does_not_poll_is_stalled(
    progress: dict[str, Any], *, is_stalled: bool
) -> None:
    assert (stalled(progress, now_ms=NOW_MS) is not None) == is_stalled


async def test_a_beat_replaces_the_last_one_and_forgets_processes_that_are_long_gone(engine: AsyncEngine) -> None:
    gone, alive = Heartbeat(engine, "gone", dict), Heartbeat(engine, "alive", dict)
    await gone.beat()
    async with engine.begin() as connection:
        await connection.execute(update(heartbeats).values(beat_at=func.now() - text("interval '2 days'")))

    await alive.beat()
    await alive.beat()

    async with engine.connect() as connection:
        assert (await connection.scalars(select(heartbeats.c.service))).all() == ["alive"]


async def test_the_heart_goes_on_beating_after_its_session_was_killed(engine: AsyncEngine) -> None:
    heartbeat = Heartbeat(engine, "ingestor", dict)
    await heartbeat.beat()
    async with engine.connect() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    with suppress(SQLAlchemyError):
        await heartbeat.beat()
    await heartbeat.beat()
