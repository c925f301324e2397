"""Bids on auctions: only ever added, for a bid that was made stays made."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.events import ContractBid, Dataset
from common.messaging.outbox import Outbox
from common.tables import contracts
from ingestor.esi.models import PublicBid
from ingestor.stores import timers

LOCK = """
/* bids.lock: in the one order that everybody takes */
SELECT contract_id, region_id FROM contracts WHERE contract_id = ANY($1::bigint[]) ORDER BY contract_id FOR UPDATE
"""

ADD = """
/* bids.add */
INSERT INTO bids (contract_id, bid_id, amount, date_bid)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::numeric[], $4::timestamptz[])
ON CONFLICT DO NOTHING
RETURNING contract_id, bid_id, amount, date_bid
"""

TALLY = """
/* bids.tally: from all that was ever seen, so that a shorter answer takes nothing away */
UPDATE contracts c SET bids_count = t.bids, highest_bid = t.highest
  FROM (SELECT read.contract_id, count(b.bid_id) AS bids, max(b.amount) AS highest
          FROM unnest($1::bigint[]) AS read (contract_id) LEFT JOIN bids b USING (contract_id)
         GROUP BY read.contract_id) t
 WHERE c.contract_id = t.contract_id AND (c.bids_count, c.highest_bid) IS DISTINCT FROM (t.bids, t.highest)
"""

POSTPONE = """
/* bids.postpone: an auction that left the list meanwhile is read no more */
UPDATE contracts c SET bids_due_at = now() + p.after
  FROM unnest($1::bigint[], $2::interval[]) AS p (contract_id, after)
 WHERE c.contract_id = p.contract_id AND c.bids_due_at IS NOT NULL AND c.delisted_at IS NULL
"""


async def due(connection: AsyncConnection, limit: int) -> list[int]:
    """Live auctions whose bids may be read now, the longest due first."""
    rows = await connection.scalars(
        select(contracts.c.contract_id)
        .where(
            contracts.c.bids_due_at <= func.now(),
            contracts.c.type == "auction",
            contracts.c.delisted_at.is_(None),
            contracts.c.date_expired > func.now(),
        )
        .order_by(contracts.c.bids_due_at, contracts.c.contract_id)
        .limit(limit)
    )
    return list(rows)


class BidStore:
    """Writes `bids` and what `contracts` says of them, and tells of each new bid through the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def store(
        self, connection: AsyncConnection, read: Mapping[int, Sequence[PublicBid]], again: Mapping[int, timedelta]
    ) -> int:
        """Add the bids of `read`, which come in their order; each contract of `again` is due after its pause.

        Returns how many auctions have new bids. Repeats change nothing.
        """
        raw = await asyncpg_connection(connection)
        regions = dict(await raw.fetch(LOCK, [*{*read, *again}]))
        rows = [
            (contract_id, bid) for contract_id in sorted(read) if contract_id in regions for bid in read[contract_id]
        ]
        added = await raw.fetch(
            ADD,
            [contract_id for contract_id, _ in rows],
            [bid.bid_id for _, bid in rows],
            [bid.amount for _, bid in rows],
            [bid.date_bid for _, bid in rows],
        )
        await raw.execute(TALLY, list(read))
        await raw.execute(POSTPONE, list(again), list(again.values()))
        await timers.put_off(connection, Dataset.BIDS, set(again.values()))
        new = sorted(added, key=lambda row: (row["contract_id"], row["date_bid"], row["bid_id"]))
        await self._outbox.write(connection, [ContractBid(region_id=regions[row["contract_id"]], **row) for row in new])
        return len({row["contract_id"] for row in new})
