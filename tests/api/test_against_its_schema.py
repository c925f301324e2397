"""Schemathesis asks what nobody thought of, by the OpenAPI document, also while the database is away."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from schemathesis.engine import events, from_schema
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.embedded.postgres import EmbeddedPostgres
from common.messaging.outbox import Outbox
from common.settings import DatabaseSettings
from scheduler.clockwork import Clockwork
from support.databases import SHOWN
from support.market_rows import DOMAIN, NOW, RIFTER, THE_FORGE, MarketRows
from support.served_api import ServedApi

# What no schema can say (price_max below price_min, a region that does not exist, a cursor of another list) is 422.
POSITIVE = [200, 201, 202, 204, 404, 409, 412, 422, 428]
EXPECTED: Mapping[bool, Any] = {
    True: {"positive_data_acceptance": {"expected-statuses": POSITIVE}},
    False: {
        "positive_data_acceptance": {"expected-statuses": [*POSITIVE, 503]},
        "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", 503]},
    },
}
"""By whether the database is there."""
NOT_COVERED = ["export_contracts", "preview_schedule", "replace_schedule"]
"""What takes nothing but what another operation takes as well, a thousand cases of it; it is asked at random alone."""


@dataclass
class Seen:
    """What schemathesis found fault with, and how each operation was answered: statuses and media types."""

    faults: list[str] = field(default_factory=list)
    answers: dict[str, set[tuple[int, str]]] = field(default_factory=dict)

    def all_answers(self) -> set[tuple[int, str]]:
        return set[tuple[int, str]]().union(*self.answers.values())

    def note(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.NonFatalError | events.FatalError):
            self.faults.append(repr(event))
        if not isinstance(event, events.ScenarioFinished):
            return
        for interaction in event.recorder.interactions.values():
            if interaction.response is not None:
                kind = interaction.response.headers.get("content-type", [""])[0]
                self.answers.setdefault(event.label or "", set()).add((interaction.response.status_code, kind))
        for nodes in event.recorder.checks.values():
            self.faults += [
                f"{event.label}: {node.failure_info.failure}\n{node.failure_info.code_sample}"
                for node in nodes
                if node.failure_info is not None
            ]


async def explored(api: ServedApi, document: Any, *phases: str, with_database: bool = True, examples: int) -> Seen:
    """What is seen when every operation is asked, in these phases of schemathesis, so many times at random."""
    config = {
        "seed": 1,
        "base-url": api.url,
        "headers": SHOWN,
        "continue-on-failure": True,
        "generation": {"max-examples": examples, "no-shrink": True, "database": "none"},
        "checks": EXPECTED[with_database],
        "phases": {
            "examples": {"enabled": False},
            "coverage": {"enabled": "coverage" in phases, "unexpected-methods": ["query", "trace"]},
            "fuzzing": {"enabled": "fuzzing" in phases},
            "stateful": {"enabled": "stateful" in phases},
        },
        "operations": [{"include-operation-id": NOT_COVERED, "phases": {"coverage": {"enabled": False}}}],
    }
    seen = Seen()

    def explore() -> None:
        schema = schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict(config))
        for event in from_schema(schema).execute():
            seen.note(event)

    await asyncio.to_thread(explore)
    return seen


@pytest.mark.timeout(300)
async def test_every_answer_is_as_documented_also_while_the_database_is_away(
    api: ServedApi, rows: MarketRows, engine: AsyncEngine, database: DatabaseSettings, database_server: EmbeddedPostgres
) -> None:
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
