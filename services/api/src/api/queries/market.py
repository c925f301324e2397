"""When the market looks different without anybody having written anything."""

from datetime import datetime, timedelta
from typing import Any

from api.queries.stats import STALE_SECONDS

Turns = dict[str, datetime]

TURNS = """
/* market.turns: a live contract expires, a region's list becomes stale, a day of prices begins */
SELECT now() AS now, expires AS contracts, expires AS live,
       (SELECT min(fresh_until) FROM coverage WHERE fresh_until > now() - $1::interval) + $1::interval AS coverage,
       date_trunc('day', now(), 'UTC') + interval '1 day' AS prices
  FROM (SELECT min(date_expired) AS expires FROM contracts WHERE delisted_at IS NULL AND date_expired > now()) AS next
"""


async def next_turns(connection: Any) -> tuple[datetime, Turns]:
    """The database's present, and of each subject the next moment after it at which answers turn, if there is one."""
    row = await connection.fetchrow(TURNS, timedelta(seconds=STALE_SECONDS))
    turns = {name: row[name] for name in ("contracts", "coverage", "live", "prices")}
    return row["now"], {name: at for name, at in turns.items() if at is not None}
