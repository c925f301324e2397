"""Where contracts start and end, and how many jumps lie between: known at once of most, later of others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from ingestor.domain.routes import Jumps, StarMap
from ingestor.stores import indexing

STARGATES = "/* places.stargates */ SELECT from_system_id, to_system_id FROM stargates"
HIGH_SECURITY = "/* places.high_security */ SELECT system_id FROM systems WHERE security = 'high'"

PLACE = """
/* places.place: contracts of which stations and systems say something else than they do themselves, locked in the
   order in which everybody locks them. What is not known blanks nothing. */
WITH placed AS MATERIALIZED (
  SELECT c.contract_id, coalesce(a.system_id, c.system_id) AS system_id, coalesce(s.security, c.security) AS security,
         coalesce(b.system_id, c.end_system_id) AS end_system_id
    FROM contracts c
         LEFT JOIN stations a ON a.station_id = c.start_location_id
         LEFT JOIN systems s ON s.system_id = a.system_id
         LEFT JOIN stations b ON b.station_id = c.end_location_id
   WHERE coalesce(a.system_id, c.system_id) IS DISTINCT FROM c.system_id
      OR coalesce(s.security, c.security) IS DISTINCT FROM c.security
      OR coalesce(b.system_id, c.end_system_id) IS DISTINCT FROM c.end_system_id
   ORDER BY c.contract_id FOR UPDATE OF c
)
UPDATE contracts c SET system_id = p.system_id, security = p.security, end_system_id = p.end_system_id
  FROM placed p WHERE c.contract_id = p.contract_id
RETURNING c.contract_id
"""

WAYS = """
/* places.ways: those of courier contracts; $1: also those that are known */
SELECT DISTINCT system_id, end_system_id FROM contracts
 WHERE type = 'courier' AND system_id IS NOT NULL AND end_system_id IS NOT NULL AND (jumps IS NULL OR $1)
"""

COUNT_JUMPS = """
/* places.count_jumps */
WITH counted AS MATERIALIZED (
  SELECT c.contract_id, w.jumps, w.high_security
    FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::smallint[])
      AS w (origin, destination, jumps, high_security)
    JOIN contracts c ON c.system_id = w.origin AND c.end_system_id = w.destination
   WHERE c.type = 'courier' AND (c.jumps, c.jumps_high_security) IS DISTINCT FROM (w.jumps, w.high_security)
   ORDER BY c.contract_id FOR UPDATE OF c
)
UPDATE contracts c SET jumps = w.jumps, jumps_high_security = w.high_security
  FROM counted w WHERE c.contract_id = w.contract_id
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Jumps between pairs of systems."""

    pairs: Sequence[tuple[int, int]]
    jumps: Sequence[Jumps]

    def columns(self) -> tuple[list[int], list[int], list[int | None], list[int | None]]:
        """As statements take them: origins, destinations, jumps, jumps through high security."""
        return (
            [origin for origin, _ in self.pairs],
            [destination for _, destination in self.pairs],
            [counted.shortest for counted in self.jumps],
            [counted.high_security for counted in self.jumps],
        )


class Ways:
    """Counts jumps by the stargates that the database holds; a process reads them when the first courier asks."""

    def __init__(self) -> None:
        self._map: StarMap | None = None

    async def between(self, raw: Any, pairs: Iterable[Sequence[int]]) -> Counted:
        """The jumps between the two systems of each of `pairs`. What begins at one system is counted at once."""
        ordered = sorted((origin, destination) for origin, destination in pairs)
        if not ordered:
            return Counted((), ())
        if self._map is None:
            self._map = await _star_map(raw)
        return Counted(ordered, [self._map.jumps(*pair) for pair in ordered])


async def renew(connection: AsyncConnection, *, ways: bool = False) -> None:
    """Say of all contracts what is known by now; `ways`: stargates may lead elsewhere than before.

    It looks at all of them, not only at those of a new station: so one that was stored while its station was learned
    is not left without. What says nothing new is not written.
    """
    raw = await asyncpg_connection(connection)
    placed = await raw.fetch(PLACE)
    await indexing.index(connection, sorted(contract_id for (contract_id,) in placed))
    counted = await Ways().between(raw, await raw.fetch(WAYS, ways))
    if counted.pairs:
        await raw.execute(COUNT_JUMPS, *counted.columns())


async def _star_map(raw: Any) -> StarMap:
    stargates = await raw.fetch(STARGATES)
    secure = await raw.fetch(HIGH_SECURITY)
    return StarMap(((start, end) for start, end in stargates), (system for (system,) in secure))
