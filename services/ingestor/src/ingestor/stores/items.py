"""Storing what contracts hold, and what could not be read this time."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.database import asyncpg_connection
from common.events import ContractEnriched, Dataset
from common.messaging.outbox import Outbox
from common.tables.contracts import CATEGORY_FACET, GROUP_FACET
from ingestor.domain.lexemes import of_items
from ingestor.domain.retrying import ANOTHER_DAY, MAX_ITEM_ATTEMPTS, pause_after, pause_while_away
from ingestor.domain.summary import VERSION, Summary, TypeFacts, names_of, summarise
from ingestor.domain.valuation import Price, Valuation, value
from ingestor.esi.items import ItemsMissing, ItemsRead
from ingestor.esi.models import PublicItem
from ingestor.stores import dynamic_items, sql, timers, valuing, words

LARGEST_FACET = 2**31 - 1
SUMMARY_COLUMNS, POSTPONE_COLUMNS = 23, 5
"""How many arrays the two statements take."""

WANTED_OF = text("""
/* items.wanted_of */
SELECT contract_id FROM contracts WHERE contract_id = ANY(:ids) AND items_state = 'wanted' ORDER BY contract_id
""")

FACTS_OF = """
/* items.facts_of: in the order of TypeFacts */
SELECT t.type_id, t.name, g.category_id, t.group_id, t.meta_group_id, t.volume, t.packaged_volume
  FROM types t JOIN groups g USING (group_id) WHERE t.type_id = ANY($1::bigint[])
"""

PRICES_OF = """
/* items.prices_of: in the order of Price */
SELECT type_id, buy, sell, average FROM prices WHERE type_id = ANY($1::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """How many contracts of each run have their items, or never will."""

    done: Counter[UUID]
    failed: Counter[UUID]

    def of_runs(self) -> set[UUID]:
        return set(self.done) | set(self.failed)


class Described(NamedTuple):
    """What a contract holds, what it is by that, and what its offer is worth."""

    entry: ItemsRead
    summary: Summary
    value: Valuation
    rolled: Sequence[tuple[int, int]] = ()
    """Items (and their types) whose attributes somebody rolled."""
    facets: Sequence[int] = ()
    """By which types, groups and categories it is found."""
    names: Sequence[str] = ()
    """Of what it offers, by which it is found as well."""


class ItemStore:
    """Writes `contract_items` and the summary in `contracts`, and tells of it through the outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def store(
        self,
        connection: AsyncConnection,
        read: Sequence[Described],
        missing: Sequence[ItemsMissing],
        deferred: Sequence[int],
        *,
        deferred_for: timedelta,
    ) -> Settled:
        """Store `read`, note `missing` with its reason, and put `deferred` off; repeats change nothing."""
        raw = await asyncpg_connection(connection)
        ids = [of.entry.contract_id for of in read] + [entry.contract_id for entry in missing] + list(deferred)
        wanted = {row["contract_id"]: row for row in await raw.fetch(sql.STILL_WANTED, ids)}
        new = [of for of in read if of.entry.contract_id in wanted]
        again = [of.entry.contract_id for of in new if wanted[of.entry.contract_id]["read_before"]]
        if again:
            await raw.execute(sql.FORGET, again)
        await self._add(connection, raw, new)
        failed = await self._postpone(connection, wanted, missing, deferred, deferred_for)
        await self._outbox.write(connection, [_enriched(wanted[of.entry.contract_id]["region_id"], of) for of in new])
        return Settled(
            done=Counter(wanted[of.entry.contract_id]["items_run_id"] for of in new),
            failed=Counter(wanted[contract_id]["items_run_id"] for contract_id in failed),
        )

    async def _add(self, connection: AsyncConnection, raw: Any, new: Sequence[Described]) -> None:
        records = [
            (entry.contract_id, *(getattr(item, column) for column in sql.ITEM_COLUMNS[1:]))
            for entry, *_ in new
            for item in entry.items
        ]
        await raw.copy_records_to_table("contract_items", records=records, columns=sql.ITEM_COLUMNS)
        await self._summarise(raw, new)
        rolled = [(item_id, type_id, of.entry.contract_id) for of in new for item_id, type_id in of.rolled]
        if rolled:
            await dynamic_items.want(connection, rolled)

    async def summarise_again(
        self, connection: AsyncConnection, read: Sequence[Described], told: Mapping[int, int]
    ) -> None:
        """Store new summaries of contracts whose items are stored; of those in `told` tell, with their region."""
        await self._summarise(await asyncpg_connection(connection), read)
        news = [of for of in read if of.entry.contract_id in told]
        await self._outbox.write(connection, [_enriched(told[of.entry.contract_id], of) for of in news])

    async def _summarise(self, raw: Any, read: Sequence[Described]) -> None:
        await raw.execute(sql.SUMMARISE, VERSION, *_columns([_summary_row(of) for of in read], SUMMARY_COLUMNS))
        await words.extend(raw, {of.entry.contract_id: of_items(of.names) for of in read})

    async def _postpone(
        self,
        connection: AsyncConnection,
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
            pause = ANOTHER_DAY if spent else pause_after(attempts)
            rows.append((entry.contract_id, _state(contract, over=spent), attempts, entry.reason, pause))
        for contract_id in deferred:
            if contract_id in wanted:
                contract = wanted[contract_id]
                after = max(deferred_for, pause_while_away(contract["waiting"]))
                state = _state(contract, over=contract["gone"])
                rows.append((contract_id, state, contract["items_attempts"], "upstream is away", after))
        if rows:
            raw = await asyncpg_connection(connection)
            await raw.execute(sql.POSTPONE, *_columns(rows, POSTPONE_COLUMNS))
            await timers.put_off(connection, Dataset.ITEMS, {pause for *_, pause in rows})
        return [contract_id for contract_id, state, *_ in rows if state != "wanted"]


async def wanted_of(connection: AsyncConnection, contract_ids: Sequence[int]) -> list[int]:
    """Those of `contract_ids` whose items are still to be read."""
    return list(await connection.scalars(WANTED_OF, {"ids": list(contract_ids)}))


async def described(
    connection: AsyncConnection, read: Sequence[ItemsRead], facts: Mapping[int, TypeFacts]
) -> list[Described]:
    """What contracts are and are worth; those that hold a type which `facts` does not know are left out.

    Until the transaction ends, no other prices are merged.
    """
    prices = await prices_of(connection, {item.type_id for entry in read for item in entry.items})
    known = [entry for entry in read if all(item.type_id in facts for item in entry.items)]
    return [
        Described(
            entry,
            summarise(entry.items, facts),
            value(entry.items, facts, prices),
            _rolled(entry.items, facts),
            facets(entry.items, facts),
            names_of(_told_types(entry.items), facts),
        )
        for entry in known
    ]


async def facts_of(connection: AsyncConnection, type_ids: Collection[int]) -> dict[int, TypeFacts]:
    """What is known of types; those that nobody has described yet are absent."""
    raw = await asyncpg_connection(connection)
    return {row[0]: TypeFacts(*row[1:]) for row in await raw.fetch(FACTS_OF, list(type_ids))}


async def prices_of(connection: AsyncConnection, type_ids: Collection[int]) -> dict[int, Price]:
    """The prices of those types that have any. Until the transaction ends, no others are merged."""
    raw = await asyncpg_connection(connection)
    await raw.execute(valuing.VALUE_BY_THESE)
    return {row[0]: Price(*row[1:]) for row in await raw.fetch(PRICES_OF, list(type_ids))}


def facets(items: Sequence[PublicItem], facts: Mapping[int, TypeFacts]) -> list[int]:
    """What `items` offer as `contracts.facets` has it: ascending, each once. Ids too large for it are left out."""
    offered = {item.type_id for item in items if item.is_included}
    groups = {facts[type_id].group_id for type_id in offered}
    categories = {facts[type_id].category_id for type_id in offered}
    return [
        *sorted(type_id for type_id in offered if type_id < GROUP_FACET),
        *sorted(GROUP_FACET + group_id for group_id in groups if GROUP_FACET + group_id < CATEGORY_FACET),
        *sorted(CATEGORY_FACET + number for number in categories if CATEGORY_FACET + number <= LARGEST_FACET),
    ]


def _told_types(items: Sequence[PublicItem]) -> list[int]:
    """Of what is offered, or else wanted."""
    return [item.type_id for item in items if item.is_included] or [item.type_id for item in items]


def _rolled(items: Sequence[PublicItem], facts: Mapping[int, TypeFacts]) -> list[tuple[int, int]]:
    return [
        (item.item_id, item.type_id)
        for item in items
        if item.item_id is not None and item.is_included and facts[item.type_id].is_dynamic
    ]


def _state(contract: Any, *, over: bool) -> str:
    """What comes of a contract whose items were not read this time; those that were read before are kept."""
    if not over:
        return "wanted"
    return "stored" if contract["read_before"] else "failed"


def _summary_row(of: Described) -> tuple[object, ...]:
    entry, summary, worth = of.entry, of.summary, of.value
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
        summary.packaged_volume,
        *worth,
        f"{{{','.join(map(str, of.facets))}}}",
        summary.offers_copy,
        bool(of.rolled),
        *summary.most,
        summary.units,
    )


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """Rows turned into one array a column, as unnest takes them."""
    return [[row[index] for row in rows] for index in range(width)]


def _enriched(region_id: int, of: Described) -> ContractEnriched:
    summary, worth = of.summary, of.value
    return ContractEnriched(
        contract_id=of.entry.contract_id,
        region_id=region_id,
        label=summary.label,
        composition=summary.composition,
        contains_ship=summary.contains_ship,
        items_offered=summary.items_offered,
        items_requested=summary.items_requested,
        value_sell=worth.sell,
        value_lines=worth.lines,
        value_lines_priced=worth.lines_priced,
    )
