"""What was accepted and is not done: found by its rows, whatever became of the messages."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.events import Dataset

ADOPT = text("""
/* reconcile.adopt: commands and slots that no ingestor has seen, though they had time to arrive. What a slot wanted is
   what its schedule was when it was decided, also if that has been changed or deleted since. */
INSERT INTO runs (run_id, dataset, scope, force, source, state, accepted_at, due_at)
SELECT run_id, dataset, scope, force, source, 'queued', accepted_at, now() FROM (
  SELECT run_id, dataset, scope, force, 'api' AS source, accepted_at FROM ingest_requests
  UNION ALL
  SELECT slot.run_id, coalesce(governed.definition ->> 'dataset', schedule.dataset),
         coalesce(governed.definition -> 'scope', schedule.scope), false, 'schedule', slot.decided_at
    FROM schedule_slots slot LEFT JOIN schedules schedule USING (schedule_id)
    LEFT JOIN LATERAL (
      SELECT definition FROM schedule_versions v
       WHERE v.schedule_id = slot.schedule_id AND v.from_at <= slot.decided_at AND v.definition IS NOT NULL
       ORDER BY v.version DESC LIMIT 1) governed ON true
   WHERE slot.run_id IS NOT NULL AND coalesce(governed.definition ->> 'dataset', schedule.dataset) IS NOT NULL
) accepted
 WHERE accepted_at > now() - interval '7 days'
   AND accepted_at < greatest(now() - interval '30 seconds', (SELECT max(started_at) FROM broker_epochs))
   AND NOT EXISTS (SELECT FROM runs WHERE runs.run_id = accepted.run_id)
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
    """What has to be sent again."""

    runs: list[Row[Any]]
    contracts: dict[int, list[int]]


async def unfinished(connection: AsyncConnection) -> Unfinished:
    """Everything that is overdue, marked as sent again from now on."""
    await connection.execute(ADOPT)
    runs = (await connection.execute(LOST_RUNS)).all()
    by_region: dict[int, list[int]] = defaultdict(list)
    for region_id, contract_id in await connection.execute(LOST_ITEMS):
        by_region[region_id].append(contract_id)
    contracts = {region_id: sorted(ids) for region_id, ids in by_region.items()}
    return Unfinished(list(runs), contracts)


async def idle(connection: AsyncConnection, dataset: Dataset) -> bool:
    """Whether no run of `dataset` is under way, and none has failed lately."""
    return bool(await connection.scalar(IDLE, {"dataset": dataset.value}))
