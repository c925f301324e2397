"""What became of contracts that left the list: asked for after they did, and taken back when they return."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.database import asyncpg_connection
from common.events import ContractChanged, Dataset
from common.messaging.outbox import Outbox
from common.tables import contracts
from ingestor.domain.outcome import Departure, Outcome
from ingestor.stores import changes, timers

DUE = text("""
/* outcomes.due: the newest first, for they are asked about; of each the list that was the first without it */
SELECT c.contract_id, c.type = 'auction' AS is_auction, c.date_expired, c.delisted_at, c.bids_count, c.outcome_attempts,
       coalesce((SELECT max(s.generation) FROM sweeps s
                  WHERE s.region_id = c.region_id AND s.complete AND s.delisted > 0 AND s.generation <= c.delisted_at
                    AND s.swept_at <= c.delisted_at + interval '1 minute'),
                c.delisted_at) AS absent_at
  FROM contracts c
 WHERE c.outcome_due_at <= now() AND c.delisted_at IS NOT NULL AND c.type IN ('item_exchange', 'auction')
 ORDER BY c.outcome_due_at DESC, c.contract_id DESC LIMIT :limit
""")

LOCK = """
/* outcomes.lock: those that are as they were when they were probed */
SELECT c.contract_id, c.region_id, c.outcome, c.price, c.buyout, c.title, c.date_expired
  FROM unnest($1::bigint[], $2::timestamptz[], $3::smallint[]) AS p (contract_id, delisted_at, attempts)
  JOIN contracts c USING (contract_id)
 WHERE c.delisted_at = p.delisted_at AND c.outcome_attempts = p.attempts AND c.outcome_due_at IS NOT NULL
 ORDER BY c.contract_id FOR UPDATE OF c
"""

SETTLE = """
/* outcomes.settle: an outcome that is not decided stays what the list made of it */
UPDATE contracts c
   SET outcome = coalesce(p.outcome, c.outcome), outcome_attempts = outcome_attempts + 1,
       outcome_due_at = now() + p.after
  FROM unnest($1::bigint[], $2::text[], $3::interval[]) AS p (contract_id, outcome, after)
 WHERE c.contract_id = p.contract_id
"""


@dataclass(frozen=True, slots=True)
class Gone:
    """A contract to be probed, as it is now."""

    contract_id: int
    delisted_at: datetime
    attempts: int
    departure: Departure


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a probe decided; without an outcome it is repeated `after` a while, or given up without one."""

    gone: Gone
    outcome: Outcome | None
    after: timedelta | None


async def waiting(connection: AsyncConnection) -> bool:
    due = select(contracts.c.contract_id).where(contracts.c.outcome_due_at <= func.now()).limit(1)
    return await connection.scalar(due) is not None


async def due(connection: AsyncConnection, limit: int) -> list[Gone]:
    """Contracts to be probed now, the newest first."""
    return [
        Gone(
            row.contract_id,
            row.delisted_at,
            row.outcome_attempts,
            Departure(row.is_auction, row.date_expired, row.absent_at, row.bids_count),
        )
        for row in await connection.execute(DUE, {"limit": limit})
    ]


class OutcomeStore:
    """Writes outcomes, and tells of each that is new through the outbox. It never delists and never relists."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def settle(self, connection: AsyncConnection, verdicts: Sequence[Verdict]) -> int:
        """Write down `verdicts` of contracts that are still as they were probed; returns how many outcomes changed."""
        raw = await asyncpg_connection(connection)
        gone = [verdict.gone for verdict in verdicts]
        rows = await raw.fetch(
            LOCK,
            [each.contract_id for each in gone],
            [each.delisted_at for each in gone],
            [each.attempts for each in gone],
        )
        of = {verdict.gone.contract_id: verdict for verdict in verdicts}
        standing = [of[row["contract_id"]] for row in rows]
        await raw.execute(
            SETTLE,
            [verdict.gone.contract_id for verdict in standing],
            [verdict.outcome for verdict in standing],
            [verdict.after for verdict in standing],
        )
        again = {verdict.after for verdict in standing if verdict.after is not None}
        await timers.put_off(connection, Dataset.OUTCOMES, again)
        changed = [
            ContractChanged(**{**row, "outcome": of[row["contract_id"]].outcome})
            for row in rows
            if of[row["contract_id"]].outcome not in {None, row["outcome"]}
        ]
        await changes.note(connection, changed)
        await self._outbox.write(connection, changed)
        return len(changed)
