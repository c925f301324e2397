"""Storing what contracts hold, and what could not be read this time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from common.database import asyncpg_connection
from common.events import ContractEnriched
from common.messaging.outbox import Outbox
from common.tables import contracts, groups, types
from ingestor.domain.retrying import MAX_ITEM_ATTEMPTS, pause_after, pause_while_away
from ingestor.domain.summary import VERSION, Summary, TypeFacts
from ingestor.esi.items import ItemsMissing, ItemsRead
from ingestor.stores import sql


@dataclass(frozen=True, slots=True)
class Settled:
    """How many contracts of each run have their items, or never will."""

    done: Counter[UUID]
    failed: Counter[UUID]

    def of_runs(self) -> set[UUID]:
        return set(self.done) | set(self.failed)


class ItemStore:
    """Writes `contract_items` and the summary in `contracts`, and tells of it through the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def store(
        self,
        connection: AsyncConnection,
        read: Sequence[tuple[ItemsRead, Summary]],
        missing: Sequence[ItemsMissing],
        deferred: Sequence[int],
        *,
        deferred_for: timedelta,
    ) -> Settled:
        """Store `read`, note `missing` with its reason, and put `deferred` off; repeats change nothing."""
        raw = await asyncpg_connection(connection)
        ids = [entry.contract_id for entry, _ in read] + [entry.contract_id for entry in missing] + list(deferred)
        wanted = {row["contract_id"]: row for row in await raw.fetch(sql.STILL_WANTED, ids)}
        new = [(entry, summary) for entry, summary in read if entry.contract_id in wanted]
        await self._add(raw, new)
        failed = await self._postpone(raw, wanted, missing, deferred, deferred_for)
        await self._outbox.write(
            connection, [_enriched(wanted[entry.contract_id]["region_id"], entry, summary) for entry, summary in new]
        )
        return Settled(
            done=Counter(wanted[entry.contract_id]["items_run_id"] for entry, _ in new),
            failed=Counter(wanted[contract_id]["items_run_id"] for contract_id in failed),
        )

    async def _add(self, raw: Any, new: Sequence[tuple[ItemsRead, Summary]]) -> None:
        records = [
            (entry.contract_id, *(getattr(item, column) for column in sql.ITEM_COLUMNS[1:]))
            for entry, _ in new
            for item in entry.items
        ]
        await raw.copy_records_to_table("contract_items", records=records, columns=sql.ITEM_COLUMNS)
        await raw.execute(sql.SUMMARISE, VERSION, *_columns([_summary_row(entry, of) for entry, of in new], 10))

    async def _postpone(
        self,
        raw: Any,
        wanted: dict[int, Any],
        missing: Sequence[ItemsMissing],
        deferred: Sequence[int],
        deferred_for: timedelta,
    ) -> list[int]:
        """Returns the contracts whose items are given up: budget spent, or gone from the market meanwhile."""
        rows: list[tuple[int, str, int, str, timedelta]] = []
        for entry in missing:
            if entry.contract_id not in wanted:
                continue
            contract = wanted[entry.contract_id]
            attempts = contract["items_attempts"] + 1
            spent = attempts >= MAX_ITEM_ATTEMPTS or contract["gone"]
            rows.append((entry.contract_id, _state(spent), attempts, entry.reason, pause_after(attempts)))
        for contract_id in deferred:
            if contract_id in wanted:
                contract = wanted[contract_id]
                after = max(deferred_for, pause_while_away(contract["waiting"]))
                state = _state(contract["gone"])
                rows.append((contract_id, state, contract["items_attempts"], "upstream is away", after))
        if rows:
            await raw.execute(sql.POSTPONE, *_columns(rows, 5))
        return [contract_id for contract_id, state, *_ in rows if state == "failed"]


async def wanted_of(connection: AsyncConnection, contract_ids: Sequence[int]) -> list[int]:
    """Those of `contract_ids` whose items are still to be read."""
    rows = await connection.scalars(
        select(contracts.c.contract_id)
        .where(contracts.c.contract_id.in_(contract_ids), contracts.c.items_state == "wanted")
        .order_by(contracts.c.contract_id)
    )
    return list(rows)


async def type_facts(connection: AsyncConnection, type_ids: Sequence[int]) -> dict[int, TypeFacts]:
    """What is known of `type_ids`; unknown ones are absent."""
    rows = await connection.execute(
        select(types.c.type_id, types.c.name, groups.c.category_id)
        .join(groups, groups.c.group_id == types.c.group_id)
        .where(types.c.type_id.in_(type_ids))
    )
    return {row.type_id: TypeFacts(row.name, row.category_id) for row in rows}


def _state(given_up: bool) -> str:  # noqa: FBT001 - the one thing it says
    return "failed" if given_up else "wanted"


def _summary_row(entry: ItemsRead, summary: Summary) -> tuple[object, ...]:
    blueprint = summary.blueprint
    return (
        entry.contract_id,
        summary.label.replace("\x00", ""),
        summary.composition,
        summary.contains_ship,
        summary.items_offered,
        summary.items_requested,
        blueprint.is_copy if blueprint else None,
        blueprint.material_efficiency if blueprint else None,
        blueprint.time_efficiency if blueprint else None,
        blueprint.runs if blueprint else None,
    )


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """Rows turned into one array a column, as unnest takes them."""
    return [[row[index] for row in rows] for index in range(width)]


def _enriched(region_id: int, entry: ItemsRead, summary: Summary) -> ContractEnriched:
    return ContractEnriched(
        contract_id=entry.contract_id,
        region_id=region_id,
        label=summary.label,
        composition=summary.composition,
        contains_ship=summary.contains_ship,
        items_offered=summary.items_offered,
        items_requested=summary.items_requested,
    )
