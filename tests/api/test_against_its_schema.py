"""Schemathesis asks what nobody thought of, by the OpenAPI document."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from scheduler.clockwork import Clockwork
from support.databases import SHOWN
from support.market_rows import DOMAIN, NOW, RIFTER, THE_FORGE, MarketRows
from support.served_api import ServedApi

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

# What no schema can say (price_max below price_min, a region that does not exist, a cursor of another list) is 422.
POSITIVE = "[checks.positive_data_acceptance]\nexpected-statuses = [200, 201, 202, 204, 404, 409, 412, 422, 428]\n"


async def explored(api: ServedApi, folder: Path, *options: str) -> str:
    """What schemathesis reports, if it found fault."""
    (folder / "schemathesis.toml").write_text(POSITIVE)
    arguments = ["--seed", "1", "--no-shrink", "--continue-on-failure", "--warnings", "off", *options]
    arguments += ["--header", f"Authorization: {SHOWN['Authorization']}"]
    process = await asyncio.create_subprocess_exec(
        SCHEMATHESIS,
        "run",
        f"{api.url}/openapi.json",
        *arguments,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "NO_COLOR": "1"},
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await process.communicate()
    return "" if process.returncode == 0 else (output + errors).decode()


@pytest.mark.timeout(300)
async def test_every_answer_is_as_documented(
    api: ServedApi, rows: MarketRows, tmp_path: Path, engine: AsyncEngine, database: DatabaseSettings
) -> None:
    await rows.beat("ingestor", seconds_ago=-3600)
    await rows.beat("scheduler", seconds_ago=-3600)
    await rows.coverage(THE_FORGE)
    for contract_id in range(1, 4):
        await rows.contract(contract_id, region_id=(THE_FORGE, DOMAIN)[contract_id % 2])
        await rows.item(contract_id, RIFTER)
    await rows.slot(await rows.run("failed", reason="upstream", finished_at=NOW))
    scheduler = asyncio.ensure_future(Clockwork(engine, Outbox("scheduler"), database).run())

    faults = await explored(api, tmp_path, "--checks", "all", "--max-examples", "6", "--max-time", "25")
    scheduler.cancel()
    await asyncio.gather(scheduler, return_exceptions=True)

    assert faults == ""


@pytest.mark.timeout(300)
async def test_without_a_database_every_failure_is_a_503_problem(stranded: ServedApi, tmp_path: Path) -> None:
    report = tmp_path / "report.ndjson"
    checks = "status_code_conformance,content_type_conformance,response_schema_conformance"
    arguments = ["--checks", checks, "--max-examples", "2", "--phases", "coverage,fuzzing", "--max-time", "30"]

    faults = await explored(stranded, tmp_path, *arguments, "--report", "har", "--report-har-path", str(report))

    assert faults == ""
    entries = json.loads(report.read_text())["log"]["entries"]
    failures = {
        (entry["response"]["status"], entry["response"]["content"]["mimeType"])
        for entry in entries
        if entry["response"]["status"] >= 500
    }
    assert len(entries) > 50
    assert failures == {(503, "application/problem+json")}
