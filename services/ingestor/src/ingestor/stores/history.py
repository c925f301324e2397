"""What is kept no longer: gone contracts become a day's statistics, then they and old runs are removed in batches."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Row, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.tables import price_statistics
from ingestor.domain.statistics import Article, Offer, Statistic

_END = "date_trunc('day', now() - CAST(:retention AS interval), 'UTC')"
"""Whole days only: nothing can be delisted on a day that lies so far back, so its statistics are final."""

_OLD = f"delisted_at < {_END} AND items_state <> 'wanted'"
"""A contract whose items somebody still waits for is left until that is settled."""

_RUNS_END = f"least({_END}, date_trunc('day', now() - interval '8 days', 'UTC'))"
"""The reconciliation adopts what was accepted in the last seven days and has no run."""

_OLD_RUN = f"""
    run.accepted_at < {_RUNS_END} AND run.state NOT IN ('queued', 'running')
    AND NOT EXISTS (SELECT FROM ingest_requests q WHERE q.run_id = run.run_id)
    AND NOT EXISTS (SELECT FROM schedule_slots s WHERE s.run_id = run.run_id AND s.decided_at >= {_RUNS_END})
"""  # noqa: S608 - our own conditions
"""Those that the api accepted stay: it would show them as queued."""

WAITING = text(f"""
/* history.waiting */
SELECT EXISTS (SELECT FROM contracts WHERE {_OLD}) OR EXISTS (SELECT FROM runs run WHERE {_OLD_RUN})
""")  # noqa: S608 - our own conditions

OLDEST = text(f"""
/* history.oldest */
SELECT (delisted_at AT TIME ZONE 'UTC')::date AS day, region_id FROM contracts
 WHERE {_OLD} ORDER BY delisted_at LIMIT 1
""")  # noqa: S608 - our own conditions

_OF_DAY = "c.region_id = :region_id AND c.delisted_at >= :start AND c.delisted_at < :end AND c.items_state <> 'wanted'"

CLAIM = text(f"""
/* history.claim: the statistics and this row are one transaction, so a day that stands here is never computed again */
INSERT INTO rolled_up_days (day, region_id, contracts)
SELECT :day, :region_id, count(*) FROM contracts c WHERE {_OF_DAY}
ON CONFLICT DO NOTHING
""")  # noqa: S608 - our own conditions

OFFERS = text(f"""
/* history.offers: exchanges of one article for ISK. Of blueprints only copies are told apart by their research */
WITH held AS (
  SELECT contract_id, c.price, c.outcome, i.type_id, i.quantity, i.is_included, i.material_efficiency,
         i.time_efficiency, i.runs,
         i.is_blueprint_copy IS TRUE OR (i.runs >= 0) IS TRUE AS is_copy
    FROM contracts c JOIN contract_items i USING (contract_id)
   WHERE {_OF_DAY} AND c.type = 'item_exchange' AND c.items_state = 'stored' AND c.price > 0
)
SELECT price, coalesce(outcome = 'accepted', false) AS accepted, sum(quantity)::bigint AS units,
       min(type_id) AS type_id, bool_or(is_copy) AS is_blueprint_copy,
       min(material_efficiency) FILTER (WHERE is_copy) AS material_efficiency,
       min(time_efficiency) FILTER (WHERE is_copy) AS time_efficiency, min(runs) FILTER (WHERE is_copy) AS runs
  FROM held GROUP BY contract_id, price, outcome
HAVING bool_and(is_included) AND min(quantity) > 0 AND count(DISTINCT (type_id, is_copy)) = 1
   AND (NOT bool_or(is_copy) OR count(DISTINCT (material_efficiency, time_efficiency, runs)) = 1)
 ORDER BY contract_id
""")  # noqa: S608 - our own conditions

REMOVE = text(f"""
/* history.remove: readers are not held up, and writers only by these few rows */
DELETE FROM contracts WHERE contract_id IN (
  SELECT contract_id FROM contracts c WHERE {_OF_DAY}
   ORDER BY contract_id LIMIT :most FOR UPDATE)
RETURNING contract_id
""")  # noqa: S608 - our own conditions

REMOVE_ITEMS = text("/* history.remove_items */ DELETE FROM contract_items WHERE contract_id = ANY(:contract_ids)")
REMOVE_BIDS = text("/* history.remove_bids */ DELETE FROM bids WHERE contract_id = ANY(:contract_ids)")

REMOVE_WORDS = text("/* history.remove_words */ DELETE FROM contract_words WHERE contract_id = ANY(:contract_ids)")
REMOVE_CHANGES = text("""
/* history.remove_changes */ DELETE FROM contract_changes WHERE contract_id = ANY(:contract_ids)
""")

REMOVE_RUNS = text(f"""
/* history.remove_runs */
DELETE FROM runs WHERE run_id IN (
  SELECT run_id FROM runs run WHERE {_OLD_RUN}
   ORDER BY accepted_at LIMIT :most FOR UPDATE SKIP LOCKED)
RETURNING run_id
""")  # noqa: S608 - our own conditions

REMOVE_SWEEPS = text("/* history.remove_sweeps */ DELETE FROM sweeps WHERE run_id = ANY(:run_ids)")


@dataclass(frozen=True, slots=True)
class RegionDay:
    """The contracts that left a region's list on one day, in UTC."""

    day: date
    region_id: int

    def arguments(self) -> dict[str, Any]:
        start = datetime.combine(self.day, time(), UTC)
        return {"region_id": self.region_id, "start": start, "end": start + timedelta(days=1)}


async def waiting(connection: AsyncConnection, retention: timedelta) -> bool:
    """Whether anything is older than `retention`."""
    return bool(await connection.scalar(WAITING, {"retention": retention}))


async def oldest(connection: AsyncConnection, retention: timedelta) -> RegionDay | None:
    """The oldest day that still has contracts and lies wholly before `retention`."""
    row = (await connection.execute(OLDEST, {"retention": retention})).one_or_none()
    return None if row is None else RegionDay(row.day, row.region_id)


async def claim(connection: AsyncConnection, of: RegionDay) -> bool:
    """Whether the statistics of the day are ours to make; a twin waits until this transaction ends."""
    claimed = await connection.execute(CLAIM, {"day": of.day, **of.arguments()})
    return bool(claimed.rowcount)


async def offers(connection: AsyncConnection, of: RegionDay) -> list[Offer]:
    """Contracts that tell a price."""
    return [_offer(row) for row in await connection.execute(OFFERS, of.arguments())]


async def keep(connection: AsyncConnection, of: RegionDay, made: Sequence[Statistic]) -> None:
    """Store the day's statistics."""
    rows = [{"day": of.day, "region_id": of.region_id, **_columns(statistic)} for statistic in made]
    if rows:
        await connection.execute(insert(price_statistics), rows)


async def remove(connection: AsyncConnection, of: RegionDay, *, most: int) -> int:
    """Remove the next contracts of a day that is rolled up, with what they held; says how many."""
    removed = await connection.scalars(REMOVE, {"most": most, **of.arguments()})
    contract_ids = sorted(removed)
    for statement in (REMOVE_ITEMS, REMOVE_BIDS, REMOVE_CHANGES, REMOVE_WORDS):
        await connection.execute(statement, {"contract_ids": contract_ids})
    return len(contract_ids)


async def remove_runs(connection: AsyncConnection, retention: timedelta, *, most: int) -> int:
    """Remove the next old runs, and the sweeps they made; says how many."""
    removed = list(await connection.scalars(REMOVE_RUNS, {"retention": retention, "most": most}))
    await connection.execute(REMOVE_SWEEPS, {"run_ids": removed})
    return len(removed)


def _offer(row: Row[Any]) -> Offer:
    article = Article(row.type_id, row.is_blueprint_copy, row.material_efficiency, row.time_efficiency, row.runs)
    return Offer(article, row.price, row.units, row.accepted)


def _columns(statistic: Statistic) -> dict[str, Any]:
    columns = asdict(statistic)
    return {**columns.pop("article"), **columns}
