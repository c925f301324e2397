"""Holding the ledger to the arithmetic, schedule by schedule, on one picture of the database."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from api.queries import schedules as queries
from api.schemas.schedules import AuditFinding, AuditQuery, AuditReport, ScheduleAudit
from common.slots import Audit, Definition, Findings, Range, Seen, slots_of, spans

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_BREATH = 5_000
"""Lines after which others get their turn."""


@dataclass(slots=True)
class _Totals:
    lines: int = 0
    expected: int = 0
    counts: dict[str, int] = field(default_factory=lambda: {"gap": 0, "double": 0, "stranger": 0})
    items: list[ScheduleAudit] = field(default_factory=list)

    def add(self, row: Any, findings: Findings, fault: str | None = None) -> None:
        self.lines += findings.lines
        self.expected += findings.expected
        for what, count in findings.counts.items():
            self.counts[what] += count
        if fault is not None or not findings.is_clean:
            self.items.append(_shown(row, findings, fault))


async def audit(engine: AsyncEngine, query: AuditQuery) -> AuditReport:
    """Audit a page of schedules."""
    async with engine.connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        async with raw.transaction(isolation="repeatable_read", readonly=True):
            moment = await raw.fetchval("SELECT clock_timestamp()")
            rows = await queries.audited(raw, query.schedule_id, query.cursor, query.limit)
            totals = await _compare(raw, rows, query.since or _BEGINNING, moment)
    return AuditReport(
        as_of=moment,
        clean=not totals.items,
        schedules=len(rows),
        lines=totals.lines,
        expected=totals.expected,
        gaps=totals.counts["gap"],
        doubles=totals.counts["double"],
        strangers=totals.counts["stranger"],
        items=totals.items,
        next_cursor=rows[-1]["schedule_id"] if len(rows) == query.limit else None,
    )


async def _compare(raw: Any, rows: list[Any], since: datetime, moment: datetime) -> _Totals:
    totals = _Totals()
    waiting = {row["schedule_id"]: row for row in rows}
    audits: dict[str, Audit] = {}
    for schedule_id, row in waiting.items():
        try:
            audits[schedule_id] = _begin(row, since, moment)
        except (ValueError, LookupError, msgspec.MsgspecError) as error:
            totals.add(row, Findings(), str(error))
    folded = await _folded(raw, list(audits), since)
    seen = 0
    async for line in queries.lines(raw, list(audits), since):
        each, ranges = audits[line["schedule_id"]], folded[line["schedule_id"]]
        while ranges and ranges[0].first < line["slot_at"]:
            each.see_range(ranges.popleft())
            await asyncio.sleep(0)
        each.see(Seen(line["slot_at"], line["decided_at"], line["asked"], line["run_id"]))
        seen += 1
        if seen % _BREATH == 0:
            await asyncio.sleep(0)
    for schedule_id, each in audits.items():
        for these in folded[schedule_id]:
            each.see_range(these)
            await asyncio.sleep(0)
        totals.add(waiting[schedule_id], each.end())
        await asyncio.sleep(0)
    return totals


async def _folded(raw: Any, ids: list[str], since: datetime) -> Mapping[str, deque[Range]]:
    """The ranges of each schedule, ascending."""
    ranges: Mapping[str, deque[Range]] = {schedule_id: deque() for schedule_id in ids}
    for schedule_id, *columns in await queries.ranges(raw, ids, since):
        ranges[schedule_id].append(Range(*columns))
    return ranges


def _begin(row: Any, since: datetime, moment: datetime) -> Audit:
    """The audit of one schedule. Raises ValueError or LookupError if a definition of it cannot be read any more."""
    versions = [
        (max(datetime.fromisoformat(at), since), definition and msgspec.convert(definition, Definition))
        for at, definition in msgspec.json.decode(row["versions"])
    ]
    for _, definition in versions:
        if definition is not None and definition.kind != "upstream":
            slots_of(definition)
    undecided = row["next_slot_at"] or moment
    if row["next_slot_at"] is None and row["paused"]:  # nobody could tell its slots, so nobody decided them
        undecided = row["last_decided_at"] or versions[-1][0]
    return Audit(spans(versions), undecided=undecided, waiting=row["buffered_slot_at"])


def _shown(row: Any, findings: Findings, fault: str | None) -> ScheduleAudit:
    return ScheduleAudit(
        schedule_id=row["schedule_id"],
        deleted=row["deleted"],
        lines=findings.lines,
        expected=findings.expected,
        gaps=findings.counts["gap"],
        doubles=findings.counts["double"],
        strangers=findings.counts["stranger"],
        findings=[AuditFinding(what=each.what, slot_at=each.slot_at) for each in findings.named],
        fault=fault,
    )
