"""What was accepted and is not done: found by its rows, whatever became of the messages."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.events import Dataset
from ingestor.domain.looks import Looks

ADOPT = text("""
/* reconcile.adopt: commands and slots that no ingestor has seen, though they had time to arrive. What a slot wanted is
   what its schedule was when it was decided, also if that has been changed or deleted since. */
WITH missing AS MATERIALIZED (
  SELECT run_id, schedule_id, decided_at FROM schedule_slots slot
   WHERE run_id IS NOT NULL AND decided_at > :since
     AND decided_at < greatest(now() - interval '30 seconds', (SELECT max(started_at) FROM broker_epochs))
     AND NOT EXISTS (SELECT FROM runs WHERE runs.run_id = slot.run_id))
INSERT INTO runs (run_id, dataset, scope, force, source, state, accepted_at, due_at)
SELECT run_id, dataset, scope, force, source, 'queued', accepted_at, now() FROM (
  SELECT run_id, dataset, scope, force, 'api' AS source, accepted_at FROM ingest_requests asked
   WHERE accepted_at > :since
     AND accepted_at < greatest(now() - interval '30 seconds', (SELECT max(started_at) FROM broker_epochs))
     AND NOT EXISTS (SELECT FROM runs WHERE runs.run_id = asked.run_id)
  UNION ALL
  SELECT missing.run_id, coalesce(governed.definition ->> 'dataset', schedule.dataset),
         coalesce(governed.definition -> 'scope', schedule.scope), false, 'schedule', missing.decided_at
    FROM missing LEFT JOIN schedules schedule USING (schedule_id)
    LEFT JOIN LATERAL (
      SELECT definition FROM schedule_versions v
       WHERE v.schedule_id = missing.schedule_id AND v.from_at <= missing.decided_at AND v.definition IS NOT NULL
       ORDER BY v.version DESC LIMIT 1) governed ON true
   WHERE coalesce(governed.definition ->> 'dataset', schedule.dataset) IS NOT NULL
) accepted
ON CONFLICT DO NOTHING
""")

LOST_RUNS = text("""
/* reconcile.lost_runs: due again, or sent before the broker lost its memory */
UPDATE runs SET sent_at = now(), due_at = now() + interval '90 seconds'
 WHERE run_id IN (
   SELECT run_id FROM runs
    WHERE state IN ('queued', 'running') AND listed_at IS NULL
      AND (due_at <= now() OR sent_at < (SELECT max(started_at) FROM broker_epochs))
    ORDER BY accepted_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
RETURNING run_id, dataset, scope, force, attempts
""")

LOST_ITEMS = text("""
/* reconcile.lost_items */
UPDATE contracts SET items_sent_at = now(), items_due_at = now() + interval '5 minutes'
 WHERE contract_id IN (
   SELECT contract_id FROM contracts
    WHERE items_state = 'wanted'
      AND (items_due_at <= now() OR items_sent_at < (SELECT max(started_at) FROM broker_epochs))
    ORDER BY contract_id LIMIT 10000 FOR UPDATE SKIP LOCKED)
RETURNING region_id, contract_id
""")

IDLE = text("""
/* reconcile.idle: one run of a dataset at a time, and none right after a failure */
SELECT NOT EXISTS (
     SELECT FROM runs
      WHERE dataset = :dataset
        AND (state IN ('queued', 'running') OR (state = 'failed' AND finished_at > now() - interval '10 minutes')))
""")


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What has to be sent again, and the looks with this one."""

    runs: list[Row[Any]]
    contracts: dict[int, list[int]]
    looks: Looks


async def unfinished(connection: AsyncConnection, looks: Looks) -> Unfinished:
    """Everything that is overdue, marked as sent again from now on."""
    now = (await connection.execute(select(func.now()))).scalar_one()
    await connection.execute(ADOPT, {"since": looks.since(now)})
    runs = (await connection.execute(LOST_RUNS)).all()
    by_region: dict[int, list[int]] = defaultdict(list)
    for region_id, contract_id in await connection.execute(LOST_ITEMS):
        by_region[region_id].append(contract_id)
    contracts = {region_id: sorted(ids) for region_id, ids in by_region.items()}
    return Unfinished(list(runs), contracts, looks.and_one(now))


async def idle(connection: AsyncConnection, dataset: Dataset) -> bool:
    """Whether no run of `dataset` is under way, and none has failed lately."""
    return bool(await connection.scalar(IDLE, {"dataset": dataset.value}))
