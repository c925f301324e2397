"""Schedulers that are killed, frozen and cut off from their database, all the time: the ledger shows none of it.

`SCHEDULER_FAULTS=long` runs the long form: five replicas, 10,000 schedules, 200 kills in ten minutes.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.auditing import audit
from api.schemas.schedules import AuditQuery
from cli.embedded.postgres import EmbeddedPostgres
from common import migrations
from common.database import create_engine
from common.slots import Definition, slots_of
from scheduler.stores import schedules as store
from support.databases import settings_for
from support.schedules import SWEEP, Schedules, interval
from support.stand_ins import free_port

LONG = os.environ.get("SCHEDULER_FAULTS") == "long"


@dataclass(frozen=True)
class Ordeal:
    """What is done to how many, for so long and until so many were killed."""

    replicas: int
    schedules: int
    seconds: float
    kills: int
    every_seconds: float
    restarts_every: int


SHORT_FORM = Ordeal(replicas=3, schedules=60, seconds=11, kills=10, every_seconds=0.9, restarts_every=5)
LONG_FORM = Ordeal(replicas=5, schedules=10_000, seconds=600, kills=200, every_seconds=2.9, restarts_every=40)

EVENTS = """
SELECT convert_from(payload, 'UTF8')::jsonb ->> 'schedule_id' AS schedule_id,
       (convert_from(payload, 'UTF8')::jsonb ->> 'slot_at')::timestamptz AS slot_at FROM outbox
"""
LINES = "SELECT schedule_id, slot_at FROM schedule_slots WHERE fate = 'fired'"


class Replicas:
    """Scheduler processes, of which some are dead and some are frozen at any time."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.kills = self.pauses = 0
        self._folder = folder
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",  # what is sent stays in the outbox, to be counted
            "REGION_IDS": "1",
        }
        self._running: list[subprocess.Popen[bytes]] = []
        self._frozen: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        with (self._folder / "scheduler.log").open("ab") as log:
            command = [sys.executable, "-m", "scheduler"]
            self._running.append(subprocess.Popen(command, env=self._environment, stdout=log, stderr=log))

    def kill(self) -> None:
        """End one in the middle of whatever it does, and start another."""
        victim = self._running.pop(random.randrange(len(self._running)))  # noqa: S311 - which one does not matter
        victim.kill()
        victim.wait()
        self.kills += 1
        self.start()

    def freeze(self) -> None:
        """Stop one where it stands; the one before it goes on."""
        self.thaw()
        sleeper = self._running.pop(0)
        sleeper.send_signal(signal.SIGSTOP)
        self._frozen.append(sleeper)
        self.pauses += 1

    def thaw(self) -> None:
        for sleeper in self._frozen:
            sleeper.send_signal(signal.SIGCONT)
        self._running += self._frozen
        self._frozen.clear()

    def close(self) -> None:
        for process in [*self._running, *self._frozen]:
            process.kill()
            process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "data", free_port(), durable=False)
    server.start()
    yield server
    server.stop()


@pytest.mark.timeout(1200 if LONG else 240)
async def test_whatever_dies_the_ledger_has_every_slot_once_and_an_event_for_each_that_fired(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    ordeal = LONG_FORM if LONG else SHORT_FORM
    engine = create_engine(settings_for(server.url), service="test")
    await migrations.upgrade(engine)
    await _define(engine, ordeal)
    replicas = Replicas(tmp_path, server.url)
    try:
        for _ in range(ordeal.replicas):
            replicas.start()
        restarts = await _hurt(ordeal, replicas, server)
        replicas.thaw()
        await _caught_up(engine)
    finally:
        replicas.close()
    print(f"{replicas.kills} kills, {replicas.pauses} pauses, {restarts} restarts of the database")

    reports = [await audit(engine, AuditQuery(limit=1_000))]
    while reports[-1].next_cursor is not None:
        reports.append(await audit(engine, AuditQuery(limit=1_000, cursor=reports[-1].next_cursor)))
    found = [item for report in reports for item in report.items]
    expected = sum(report.expected for report in reports)
    print(f"{expected} slots expected, {sum(report.lines for report in reports)} lines, findings: {found}")
    assert found == []
    assert expected >= ordeal.schedules
    assert await _pairs(engine, EVENTS) == await _pairs(engine, LINES)
    await engine.dispose()


async def _define(engine: AsyncEngine, ordeal: Ordeal) -> None:
    """Intervals and crons, with jitter and each overlap; in the long form each due once a minute."""
    kept = Schedules(engine)
    if not LONG:
        for number in range(ordeal.schedules):
            overlap: Any = ("allow_all", "skip", "buffer_one")[number % 3]
            every = 1 + number % 5
            timing: dict[str, Any] = {"kind": "interval", "every_seconds": every, "jitter_seconds": number % every}
            if number % 4 == 0:
                timing = {"kind": "cron", "cron": f"*/{every} * * * * *", "zone": "Europe/Berlin"}
            await kept.add(Definition(**SWEEP, **timing, overlap=overlap, catchup="all"), f"s{number}")
        return
    async with engine.begin() as connection:
        moment = await store.now(connection)
        for number in range(ordeal.schedules):
            definition = interval(60, offset_seconds=number % 60, overlap="allow_all")
            first = slots_of(definition).at_or_after(moment)
            assert first is not None
            await store.add(connection, f"s{number}", definition, first=first)


async def _hurt(ordeal: Ordeal, replicas: Replicas, server: EmbeddedPostgres) -> int:
    """Kill, freeze and restart until all of it is done; return how often the database was restarted."""
    restarts, number, ends = 0, 0, time.monotonic() + ordeal.seconds
    while time.monotonic() < ends or replicas.kills < ordeal.kills:
        await asyncio.sleep(ordeal.every_seconds)
        number += 1
        if number % ordeal.restarts_every == 0:
            server.kill() if restarts % 2 else server.stop()
            server.start()
            restarts += 1
        elif number % 4 == 3:
            replicas.freeze()
        replicas.kill()
    return restarts


async def _caught_up(engine: AsyncEngine) -> None:
    """Wait until nothing is overdue by more than a second."""
    overdue = text("SELECT count(*) FROM schedules WHERE next_due_at < now() - interval '1 second'")
    async with asyncio.timeout(60):
        while True:
            async with engine.connect() as connection:
                if await connection.scalar(overdue) == 0:
                    return
            await asyncio.sleep(0.1)


async def _pairs(engine: AsyncEngine, query: str) -> Counter[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return Counter(tuple(row) for row in await connection.execute(text(query)))
