"""Rows as the ingestor and the scheduler write them, for tests of those who read."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from common import tables
from common.ids import new_id

THE_FORGE, DOMAIN, HEIMATAR = 10000002, 10000043, 10000030
JITA_STATION, STRUCTURE = 60003760, 1_030_000_000_000
RIFTER, MERLIN, TRITANIUM = 587, 603, 34
NOW = datetime.now(UTC).replace(microsecond=123456)

FACETS = """
UPDATE contracts SET facets = ARRAY(
    SELECT DISTINCT facet FROM contract_items i LEFT JOIN types t USING (type_id) LEFT JOIN groups g USING (group_id),
           unnest(ARRAY[i.type_id, t.group_id + 1000000000, g.category_id + 2000000000]) AS facet
     WHERE i.contract_id = :contract_id AND i.is_included AND facet IS NOT NULL ORDER BY facet)::int[]
 WHERE contract_id = :contract_id
"""


OFFERED = """
UPDATE contracts c
   SET offers_copy = o.offers_copy, offers_rolled = o.offers_rolled, most_runs = o.most_runs,
       most_material_efficiency = o.most_me, most_time_efficiency = o.most_te
  FROM (SELECT contract_id, bool_or(i.is_blueprint_copy IS TRUE OR (i.runs >= 0) IS TRUE) AS offers_copy,
               bool_or(d.item_id IS NOT NULL) AS offers_rolled, max(i.runs) AS most_runs,
               max(i.material_efficiency) AS most_me, max(i.time_efficiency) AS most_te
          FROM contract_items i LEFT JOIN dynamic_items d USING (item_id) WHERE i.is_included GROUP BY contract_id) o
 WHERE c.contract_id = o.contract_id
"""
OFFERED_BY = """
UPDATE dynamic_items d
   SET contract_ids = ARRAY(SELECT contract_id FROM contract_items i WHERE i.item_id = d.item_id AND i.is_included)
"""
"""What the ingestor keeps of items in other places, of all contracts at once."""


class MarketRows:
    """Writes one row at a time, each valid without any argument."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def contract(self, contract_id: int, **columns: Any) -> int:
        """A live item exchange in The Forge whose items are stored."""
        await self._insert(
            tables.contracts,
            {
                "contract_id": contract_id,
                "region_id": THE_FORGE,
                "type": "item_exchange",
                "issuer_id": 90_000_001,
                "issuer_corporation_id": 98_000_001,
                "for_corporation": False,
                "date_issued": NOW - timedelta(days=1),
                "date_expired": NOW + timedelta(days=13),
                "items_state": "stored",
                "contains_ship": False,
                **columns,
            },
        )
        return contract_id

    async def bare_contract(self, contract_id: int) -> int:
        """A contract with every column empty that may be."""
        return await self.contract(contract_id, items_state="wanted", contains_ship=None)

    async def item(self, contract_id: int, type_id: int, *, offered: bool = True, **columns: Any) -> None:
        """One stack, and the facets it gives its contract."""
        record = {"record_id": new_id().int % 2**62, "quantity": 1, "is_included": offered, **columns}
        await self._insert(tables.contract_items, {"contract_id": contract_id, "type_id": type_id, **record})
        await self.execute(FACETS, contract_id=contract_id)
        await self.execute(f"{OFFERED} AND c.contract_id = :contract_id", contract_id=contract_id)
        if "item_id" in columns:
            await self.execute(OFFERED_BY)

    async def rolls(self, item_id: int, attributes: Mapping[int, float], **columns: Any) -> None:
        """What a mutaplasmid made of an item; still wanted without `attributes`."""
        state = "stored" if attributes else "wanted"
        await self._insert(tables.dynamic_items, {"item_id": item_id, "type_id": 47702, "state": state, **columns})
        for attribute_id, value in attributes.items():
            row = {"item_id": item_id, "attribute_id": attribute_id, "value": value}
            await self._insert(tables.dynamic_item_attributes, row)
        await self.execute(OFFERED)
        await self.execute(OFFERED_BY)

    async def change(self, contract_id: int, change: str = "delisted", **details: Any) -> None:
        await self._insert(tables.contract_changes, {"contract_id": contract_id, "change": change, "details": details})

    async def coverage(self, region_id: int = THE_FORGE, *, complete: bool = True, **columns: Any) -> None:
        generation = NOW - timedelta(minutes=5)
        await self._insert(
            tables.coverage,
            {
                "region_id": region_id,
                "generation": generation,
                "fresh_until": NOW + timedelta(minutes=25),
                "swept_at": NOW,
                "complete_generation": generation if complete else None,
                **columns,
            },
        )

    async def sweep(self, region_id: int = THE_FORGE, *, generation: datetime = NOW, listed: int = 0) -> None:
        """A complete reading of ten contracts, of which so many were new."""
        row = {"run_id": new_id(), "region_id": region_id, "generation": generation, "fresh_until": NOW}
        counts = {"fetched": 10, "listed": listed, "changed": 0, "unchanged": 10 - listed, "rejected": 0, "delisted": 0}
        await self._insert(tables.sweeps, {**row, "complete": True, "pages": 1, **counts})

    async def limit(self, name: str, **columns: Any) -> None:
        await self._insert(tables.upstream_limits, {"name": name, **columns})

    async def name(self, entity_id: int, name: str) -> None:
        await self._insert(tables.names, {"entity_id": entity_id, "name": name, "category": "character"})

    async def run(self, state: str = "succeeded", **columns: Any) -> UUID:
        """A run that somebody asked for on Kafka."""
        row = {
            "run_id": new_id(),
            "dataset": "contracts",
            "scope": {"region_id": THE_FORGE},
            "source": "kafka",
            **columns,
        }
        if state not in {"queued", "running"}:
            row.setdefault("finished_at", NOW)
        await self._insert(tables.runs, {"state": state, **row})
        return UUID(str(row["run_id"]))

    async def request(self, **columns: Any) -> UUID:
        """A command that the api accepted, as a row only."""
        row = {"run_id": new_id(), "dataset": "contracts", "scope": {"region_id": THE_FORGE}, "force": False, **columns}
        await self._insert(tables.ingest_requests, row)
        return UUID(str(row["run_id"]))

    async def slot(self, run_id: UUID, schedule_id: str = "contracts:10000002") -> None:
        await self._insert(
            tables.schedule_slots,
            {
                "schedule_id": schedule_id,
                "slot_at": NOW,
                "fate": "fired",
                "decided_at": NOW,
                "lateness_ms": 3,
                "run_id": run_id,
            },
        )

    async def schedule(self, region_id: int) -> None:
        await self._insert(
            tables.schedules,
            {
                "schedule_id": f"contracts:{region_id}",
                "name": "a region",
                "kind": "interval",
                "every_seconds": 1800,
                "offset_seconds": 0,
                "action": "ingest",
                "dataset": "contracts",
                "scope": {"region_id": region_id},
                "overlap": "skip",
                "next_due_at": NOW,
            },
        )

    async def beat(self, service: str, *, seconds_ago: float = 0, **progress: Any) -> None:
        beat_at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        row = {"service": service, "instance": "a host", "started_at": NOW, "beat_at": beat_at, "progress": progress}
        await self._insert(tables.heartbeats, row)

    async def execute(self, statement: str, **arguments: Any) -> list[Any]:
        """Rows of any statement."""
        async with self._engine.begin() as connection:
            result = await connection.execute(text(statement), arguments)
            return list(result.all()) if result.returns_rows else []

    @asynccontextmanager
    async def locked(self, table: str) -> AsyncIterator[None]:
        """Nobody else reads or writes `table` while the block runs."""
        async with self._engine.begin() as connection:
            await connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
            yield

    async def _insert(self, table: Any, row: dict[str, Any]) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(insert(table).values(**row))
