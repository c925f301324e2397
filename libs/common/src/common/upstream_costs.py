"""What is known of upstream's budget and of what schedules take of it: read from the rows of all services."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from common.events import Dataset, Scope
from common.slots import MARKET_ORDER, Budget, Definition, Demand, Emission, Known, slots_of

_DATASETS = {each.value for each in Dataset}

_OF_A_KIND = (
    "kind",
    "action",
    "dataset",
    "scope",
    "emits",
    "every_seconds",
    "min_seconds",
    "max_seconds",
    "cron",
    "zone",
)
_KIND = f"{', '.join(_OF_A_KIND)}, jitter_seconds".replace("scope, emits", "scope::text AS scope, emits::text AS emits")
ASKED = f"""
/* upstream_costs.asked: schedules that are at work, those alike as one */
SELECT min(schedule_id) AS schedule_id, count(*) AS alike, {_KIND}
  FROM schedules WHERE NOT paused AND next_due_at IS NOT NULL AND schedule_id IS DISTINCT FROM $1
 GROUP BY kind, action, dataset, scope, emits, every_seconds, min_seconds, max_seconds, cron, zone, jitter_seconds
"""  # noqa: S608 - constants
CHANGED = f"""
/* upstream_costs.changed: since an instant, or all */
SELECT schedule_id, NOT paused AND next_due_at IS NOT NULL AS at_work, {_KIND}
  FROM schedules WHERE $1::timestamptz IS NULL OR updated_at > $1
"""  # noqa: S608 - constants
DELETED = """
/* upstream_costs.deleted */
SELECT schedule_id FROM schedule_versions WHERE changed_at > $1 AND definition IS NULL
"""
# A run costs what half of those that asked for anything took, as often as one does. What wanted very many items was a
# first load, which happens once.
_WANTED = "SELECT $1::text AS dataset, $2::text::jsonb AS scope WHERE $1 IS NOT NULL"
_MEASURED = """
/* upstream_costs.measured: by the last runs of what schedules read, and of $1; or of that alone */
SELECT wanted.dataset, wanted.scope::text AS scope, ran.requests
  FROM ({wanted}) wanted
 CROSS JOIN LATERAL (
        SELECT count(*) AS n,
               coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY upstream_requests)
                            FILTER (WHERE upstream_requests > 0), 0)
               * count(*) FILTER (WHERE upstream_requests > 0)::float8 / greatest(count(*), 1) AS requests
          FROM (SELECT upstream_requests FROM runs r
                 WHERE r.dataset = wanted.dataset AND r.scope = wanted.scope
                   AND r.accepted_at > now() - interval '30 days'
                   AND r.finished_at IS NOT NULL AND r.items_wanted <= 1000
                 ORDER BY accepted_at DESC LIMIT 30) latest) ran
 WHERE ran.n >= 3
"""
MEASURED = _MEASURED.format(
    wanted=f"SELECT dataset, scope FROM schedules WHERE dataset IS NOT NULL AND NOT paused UNION {_WANTED}"  # noqa: S608
)
MEASURED_ALONE = _MEASURED.format(wanted=_WANTED)
READ = """
/* upstream_costs.read: how large regions' lists are, and for how long upstream keeps them */
SELECT region_id, extract(epoch FROM fresh_until - generation)::float8 AS lifetime_seconds,
       (SELECT pages FROM sweeps w WHERE w.region_id = c.region_id ORDER BY generation DESC LIMIT 1) AS pages
  FROM coverage c WHERE $1::bigint IS NULL OR region_id = $1
"""
# More than a run asks for need not be counted.
AUCTIONS = "SELECT count(*) FROM (SELECT FROM contracts WHERE bids_due_at IS NOT NULL LIMIT 200) live"
BY_ITSELF = """
/* upstream_costs.by_itself: what the ingestor found to do by its rows in the last hour, per second */
SELECT dataset, sum(upstream_requests)::float8 / 3600 AS requests FROM runs
 WHERE source = 'ingestor' AND accepted_at > now() - interval '1 hour' GROUP BY dataset
"""
LIMITS = """
/* upstream_costs.limits: the token buckets that upstream told of, the latest last */
SELECT name, allowance, window_seconds, routes FROM upstream_limits
 WHERE window_seconds > 0 AND allowance > 0 ORDER BY observed_at
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """What upstream grants, what the schedules that are at work ask for, and what is known of costs; at one moment."""

    now: datetime
    budgets: Sequence[Budget]
    demands: Sequence[Demand]
    known: Known
    lifetimes: Mapping[int, float]

    def demand(self, schedule_id: str, definition: Definition, *, alike: int = 1) -> Demand:
        """What a definition asks for, by what is known."""
        region_id = definition.scope.region_id if definition.dataset is Dataset.CONTRACTS else None
        lifetime = self.lifetimes.get(region_id) if region_id is not None else None
        return Demand(schedule_id, definition, self.known.costs(definition), alike, lifetime)


async def picture(raw: Any, *, without: str | None = None, beside: Definition | None = None) -> Picture:
    """The picture that `raw`, an asyncpg connection, shows; `without` a schedule, but with the costs of `beside`."""
    known, lifetimes = await _known(raw, await _measured(raw, MEASURED, beside), None)
    empty = Picture(await _now(raw), await _budgets(raw), [], known, lifetimes)
    demands = [demand for row in await raw.fetch(ASKED, without) if (demand := _demand(empty, row)) is not None]
    return Picture(empty.now, empty.budgets, demands, known, lifetimes)


async def alone(raw: Any, definition: Definition | None) -> Picture:
    """The same without what schedules ask for: budgets, and the costs of `definition`, or of every schedule's."""
    if definition is None:
        known, lifetimes = await _known(raw, await _measured(raw, MEASURED, None), None)
    else:
        region_id = definition.scope.region_id or 0
        known, lifetimes = await _known(raw, await _measured(raw, MEASURED_ALONE, definition), region_id)
    return Picture(await _now(raw), await _budgets(raw), [], known, lifetimes)


async def changed(raw: Any, since: datetime | None) -> tuple[Sequence[Any], Sequence[str]]:
    """Rows of schedules that changed since, and the ids of those that were deleted."""
    rows = await raw.fetch(CHANGED, since)
    return rows, [] if since is None else [row[0] for row in await raw.fetch(DELETED, since)]


def kind_of(row: Any) -> tuple[Any, ...]:
    """What schedules have in common that ask for the same."""
    return *(row[name] for name in _OF_A_KIND), row["jitter_seconds"]


async def _now(raw: Any) -> datetime:
    moment: datetime = await raw.fetchval("SELECT clock_timestamp()")
    return moment


async def _known(
    raw: Any, measured: Mapping[tuple[Dataset, Scope], float], region_id: int | None
) -> tuple[Known, Mapping[int, float]]:
    read = await raw.fetch(READ, region_id)
    known = Known(
        measured=measured,
        pages={row["region_id"]: row["pages"] for row in read if row["pages"]},
        auctions=await raw.fetchval(AUCTIONS),
        by_itself={
            Dataset(row["dataset"]): row["requests"]
            for row in await raw.fetch(BY_ITSELF)
            if row["dataset"] in _DATASETS
        },
    )
    lifetimes = {row["region_id"]: row["lifetime_seconds"] for row in read if row["lifetime_seconds"] > 0}
    return known, lifetimes


async def _measured(raw: Any, statement: str, beside: Definition | None) -> dict[tuple[Dataset, Scope], float]:
    dataset = beside.dataset.value if beside is not None and beside.dataset is not None else None
    scope = msgspec.json.encode(beside.scope).decode() if beside is not None else "{}"
    found = {}
    for row in await raw.fetch(statement, dataset, scope):
        key = _read_key(row)
        if key is not None:
            found[key] = row["requests"]
    return found


def _read_key(row: Any) -> tuple[Dataset, Scope] | None:
    try:
        return Dataset(row["dataset"]), msgspec.json.decode(row["scope"], type=Scope)
    except (ValueError, msgspec.MsgspecError):
        return None


async def _budgets(raw: Any) -> list[Budget]:
    """The bucket that upstream's documents tell of, and those that it told of itself, which may be the same."""
    found = {MARKET_ORDER.group: MARKET_ORDER}
    for row in await raw.fetch(LIMITS):
        before = found.pop(row["name"], None)
        routes = frozenset(row["routes"] or ()) | (before.routes if before is not None else frozenset())
        found[row["name"]] = Budget(row["name"], row["window_seconds"], row["allowance"], routes=routes)
    return list(found.values())


def _demand(of: Picture, row: Any) -> Demand | None:
    """What schedules that are alike ask for; None if they cannot be read, for then they will not fire either."""
    definition = definition_of(row)
    return None if definition is None else of.demand(row["schedule_id"], definition, alike=row["alike"])


def definition_of(row: Any) -> Definition | None:
    """What of a definition says how often it fires and what it asks for; None if it cannot be read."""
    timing = ("kind", "action", "every_seconds", "min_seconds", "max_seconds", "cron", "zone", "jitter_seconds")
    try:
        definition = Definition(
            name="",
            **{name: row[name] for name in timing},
            dataset=row["dataset"] and Dataset(row["dataset"]),
            scope=msgspec.json.decode(row["scope"], type=Scope),
            emits=row["emits"] and msgspec.json.decode(row["emits"], type=Emission),
        )
        if definition.kind == "cron":
            slots_of(definition)
    except (ValueError, LookupError, msgspec.MsgspecError):
        return None
    return definition
