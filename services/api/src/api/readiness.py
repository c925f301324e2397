"""Whether this instance gives true answers: what was observed, and the judgement on it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from api.dependencies import Parts
from api.faults import database_fault
from api.queries import health
from common.database import DATABASE_ERRORS
from common.logs import get_logger

log = get_logger(__name__)

PATIENCE_SECONDS = 2.0
"""A probe is answered within this, whatever hangs."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What could be seen of the system from here."""

    schema_wanted: str
    database_error: str | None = None
    schema: str | None = None
    universe_loaded: bool = False
    services: list[dict[str, Any]] = field(default_factory=list)
    regions: list[dict[str, Any]] = field(default_factory=list)
    outbox: dict[str, int] = field(default_factory=dict)

    @property
    def upstream(self) -> dict[str, Any] | None:
        """ESI as the ingestors that live see it: up if one of them gets through."""
        told = [each["progress"].get("upstream") for each in self.services if each["alive"]]
        seen = [each for each in told if each is not None]
        return next((each for each in seen if each["ok"]), seen[0] if seen else None)

    def beats(self, service: str) -> bool:
        return any(each["service"] == service and each["alive"] for each in self.services)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is missing for true answers, and what fails without making them untrue."""

    missing: list[str]
    degraded: list[str]


def judge(seen: Observation) -> Verdict:
    """Unready is what makes an answer untrue or a command pointless; the rest degrades.

    Missing: the database, its schema, the universe (no command can be checked), an ingestor (no command is carried
    out), and upstream while no region was ever read (nothing can be told). Degraded: the scheduler, upstream later on,
    and a market that is still to be read.
    """
    if seen.database_error:
        return Verdict([f"database: {seen.database_error}"], [])
    if seen.schema is None or seen.schema < seen.schema_wanted:
        return Verdict([f"database schema: is at {seen.schema or 'nothing'}, wants {seen.schema_wanted}"], [])
    missing, degraded = [], []
    if not seen.universe_loaded:
        missing.append("universe: regions are not loaded yet")
    if not seen.beats("ingestor"):
        missing.append("ingestor: none is alive")
    if not seen.beats("scheduler"):
        degraded.append("scheduler: none is alive")
    upstream = seen.upstream
    # An ingestor that just started has not asked yet: no fault, but nothing to rely on without a market either.
    if upstream is not None and not upstream["ok"] and (upstream["ok"] is False or not seen.regions):
        (degraded if seen.regions else missing).append(f"upstream: {upstream.get('error') or 'was not asked yet'}")
    if not seen.regions:
        degraded.append("market: no region has been read yet")
    return Verdict(missing, degraded)


async def observe(parts: Parts) -> Observation:
    """Look, for at most `PATIENCE_SECONDS`; what hangs or fails is part of what is seen."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await _look(parts)
    except TimeoutError:
        return Observation(parts.schema, database_error=f"no answer within {PATIENCE_SECONDS:.0f} s")
    except (SQLAlchemyError, *DATABASE_ERRORS, OSError) as error:
        fault = database_fault(error)
        if fault is None:
            log.exception("database check failed")
        why = (fault or "cannot be reached").removeprefix("The database ")
        return Observation(parts.schema, database_error=why)


async def _look(parts: Parts) -> Observation:
    async with parts.engine.connect() as pooled:
        connection = (await pooled.get_raw_connection()).driver_connection
        schema = await health.schema_revision(connection)
        if schema is None or schema < parts.schema:
            return Observation(parts.schema, schema=schema)
        return Observation(parts.schema, schema=schema, **await health.state(connection))
