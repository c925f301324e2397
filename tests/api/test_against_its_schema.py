"""Schemathesis asks what nobody thought of, by the OpenAPI document, also while the database is away."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.embedded.postgres import EmbeddedPostgres
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from scheduler.clockwork import Clockwork
from support.market_rows import DOMAIN, NOW, RIFTER, THE_FORGE, MarketRows
from support.served_api import ServedApi


@pytest.mark.timeout(300)
async def test_every_answer_is_as_documented_also_while_the_database_is_away(
    api: ServedApi, rows: MarketRows, engine: AsyncEngine, database: DatabaseSettings, database_server: EmbeddedPostgres
) -> None:
    from support.explorer import explored

    await rows.beat("ingestor", seconds_ago=-3600)
    await rows.beat("scheduler", seconds_ago=-3600)
    await rows.coverage(THE_FORGE)
    for contract_id in range(1, 4):
        await rows.contract(contract_id, region_id=(THE_FORGE, DOMAIN)[contract_id % 2])
        await rows.item(contract_id, RIFTER)
    await rows.slot(await rows.run("failed", reason="upstream", finished_at=NOW))
    scheduler = asyncio.ensure_future(Clockwork(engine, Outbox("scheduler"), database).run())
    document = (await api.get("/openapi.json")).content
    operations = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}

    before = await explored(api, document, "coverage", "fuzzing", examples=4)
    await asyncio.to_thread(database_server.stop)
    try:
        away = await explored(api, document, "fuzzing", with_database=False, examples=2)
    finally:
        database_server.start()  # by this thread, with which the server would end
    after = await explored(api, document, "stateful", examples=6)
    scheduler.cancel()
    await asyncio.gather(scheduler, return_exceptions=True)

    assert before.faults + away.faults + after.faults == []
    assert set(before.answers) == set(away.answers) == operations
    assert {answer for answer in away.all_answers() if answer[0] >= 500} == {(503, "application/problem+json")}
    assert {answer for answer in before.all_answers() | after.all_answers() if answer[0] >= 500} == set()
    assert 200 in {status for status, _ in after.all_answers()}
