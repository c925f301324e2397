from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from api.tidying import KEY_DAYS, REQUEST_DAYS, Tidying
from common import tables
from common.ids import new_id
from support.market_rows import NOW, MarketRows

YOUNG, OLD = NOW - timedelta(days=REQUEST_DAYS - 1), NOW - timedelta(days=REQUEST_DAYS + 1)


async def test_old_commands_whose_runs_are_over_are_removed_and_the_runs_stay(
    rows: MarketRows, engine: AsyncEngine
) -> None:
    kept = [
        await rows.request(run_id=await rows.run(), accepted_at=YOUNG),
        await rows.request(run_id=await rows.run("running"), accepted_at=OLD),
        await rows.request(accepted_at=OLD),
    ]
    over = [await rows.request(run_id=await rows.run(), accepted_at=OLD) for _ in range(5)]

    removed = await Tidying(engine, batch=2).tidy()

    assert removed == len(over)
    assert {row.run_id for row in await rows.execute("SELECT run_id FROM ingest_requests")} == set(kept)
    assert set(over) <= {row.run_id for row in await rows.execute("SELECT run_id FROM runs")}
    assert await Tidying(engine).tidy() == 0


@pytest.mark.parametrize(("days", "left"), [(KEY_DAYS - 1, 1), (KEY_DAYS + 1, 0)])
async def test_idempotency_keys_are_kept_for_a_week(
    rows: MarketRows, engine: AsyncEngine, days: int, left: int
) -> None:
    async with engine.begin() as connection:
        key = {"key": "once", "body_hash": b"", "run_id": new_id(), "used_at": NOW - timedelta(days=days)}
        await connection.execute(insert(tables.idempotency_keys).values(**key))

    await Tidying(engine).tidy()

    assert len(await rows.execute("SELECT key FROM idempotency_keys")) == left
