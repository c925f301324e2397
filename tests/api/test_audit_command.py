"""`freeport audit schedules`, against an api."""

from datetime import timedelta

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.audit import audit
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from common.tables import schedule_slots
from scheduler.clockwork import Clockwork
from support.schedules import Schedules, interval
from support.served_api import ServedApi


async def test_the_command_names_what_is_missing_and_its_status_says_so(
    api: ServedApi, engine: AsyncEngine, database: DatabaseSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Schedules(engine)
    await kept.add(interval(60), overdue=timedelta(minutes=10))
    await Clockwork(engine, Outbox("scheduler"), database).tick()

    assert await audit(api.url) == 0
    assert "1 schedules" in capsys.readouterr().out

    lines = await kept.lines()
    async with engine.begin() as connection:
        await connection.execute(delete(schedule_slots).where(schedule_slots.c.slot_at == lines[3].slot_at))
    assert await audit(api.url) == 1
    assert f"s: gap at {lines[3].slot_at.isoformat().replace('+00:00', '')}" in capsys.readouterr().out
