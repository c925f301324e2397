"""Schemathesis as the tests use it: by the OpenAPI document, in the phases they choose, whatever it finds noted.

Whoever imports this waits a second for schemathesis.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis.engine import events, from_schema

from support.databases import SHOWN
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
