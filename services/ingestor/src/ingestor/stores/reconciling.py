"""What was accepted and is not done: found by its rows, whatever became of the messages."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Interval, Row, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.events import Dataset
from ingestor.domain.looks import Looks
from ingestor.stores import timers

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
/* reconcile.lost_runs: due again, or sent before the broker lost its memory; of one dataset or of all */
UPDATE runs SET sent_at = now(), due_at = now() + interval '90 seconds'
 WHERE run_id IN (
   SELECT run_id FROM runs
    WHERE state IN ('queued', 'running') AND listed_at IS NULL
      AND dataset = coalesce(CAST(:dataset AS text), dataset)
      AND (due_at <= now() OR sent_at < (SELECT max(started_at) FROM broker_epochs))
    ORDER BY accepted_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
RETURNING run_id, dataset, scope, force, attempts
""")

CONTRACTS_AT_ONCE = 10_000

LOST_ITEMS = text(f"""
/* reconcile.lost_items */
UPDATE contracts SET items_sent_at = now(), items_due_at = now() + interval '5 minutes'
 WHERE contract_id IN (
   SELECT contract_id FROM contracts
    WHERE items_state = 'wanted'
      AND (items_due_at <= now() OR items_sent_at < (SELECT max(started_at) FROM broker_epochs))
    ORDER BY contract_id LIMIT {CONTRACTS_AT_ONCE} FOR UPDATE SKIP LOCKED)
RETURNING region_id, contract_id
""")  # noqa: S608 - a constant

IDLE = text("""
/* reconcile.idle: one run of a dataset at a time, and none right after a failure */
SELECT NOT EXISTS (
     SELECT FROM runs
      WHERE dataset = :dataset
        AND (state IN ('queued', 'running') OR (state = 'failed' AND finished_at > now() - interval '10 minutes')))
""")

# One that was put off itself ends after its own instant, not before.
UNDER_WAY = text("""
/* reconcile.under_way */
SELECT greatest(min(CASE WHEN state = 'queued' AND started_at IS NOT NULL THEN due_at - now() END), :soon)
  FROM runs WHERE dataset = :dataset AND state IN ('queued', 'running') HAVING count(*) > 0
""").bindparams(bindparam("soon", type_=Interval))
SOON = timedelta(seconds=1)
"""Between two looks whether the run is over that work has to wait for."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What has to be sent again."""

    runs: list[Row[Any]]
    contracts: dict[int, list[int]]

    def count(self) -> int:
        """How many contracts."""
        return sum(len(ids) for ids in self.contracts.values())


async def unfinished(connection: AsyncConnection, looks: Looks) -> tuple[Unfinished, Looks]:
    """Everything that is overdue, marked as sent again from now on, and the looks with this one."""
    now = (await connection.execute(select(func.now()))).scalar_one()
    await connection.execute(ADOPT, {"since": looks.since(now)})
    return Unfinished(await _runs(connection, None), await _contracts(connection)), looks.and_one(now)


async def come_due(connection: AsyncConnection, dataset: Dataset) -> Unfinished:
    """The work of `dataset` that was put off and has come due; likewise marked."""
    contracts = await _contracts(connection) if dataset is Dataset.ITEMS else {}
    left = Unfinished(await _runs(connection, dataset), contracts)
    if left.count() >= CONTRACTS_AT_ONCE:
        await timers.put_off(connection, dataset, [timedelta()])
    return left


async def idle(connection: AsyncConnection, dataset: Dataset) -> bool:
    """Whether no run of `dataset` is under way, and none has failed lately."""
    return bool(await connection.scalar(IDLE, {"dataset": dataset.value}))


async def look_after_the_run(connection: AsyncConnection, dataset: Dataset) -> None:
    """Have somebody look at `dataset` again soon, if a run of it is under way."""
    pause = await connection.scalar(UNDER_WAY, {"dataset": dataset.value, "soon": SOON})
    if pause is not None:
        await timers.put_off(connection, dataset, [pause])


async def _runs(connection: AsyncConnection, dataset: Dataset | None) -> list[Row[Any]]:
    return list(await connection.execute(LOST_RUNS, {"dataset": dataset and dataset.value}))


async def _contracts(connection: AsyncConnection) -> dict[int, list[int]]:
    by_region: dict[int, list[int]] = defaultdict(list)
    for region_id, contract_id in await connection.execute(LOST_ITEMS):
        by_region[region_id].append(contract_id)
    return {region_id: sorted(ids) for region_id, ids in by_region.items()}
