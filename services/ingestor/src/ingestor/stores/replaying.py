"""Contracts that are looked at again: what is stored is summarised anew, what is missing is read, at a bounded rate."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import text

from common.events import Scope
from ingestor.domain.summary import VERSION, Summary
from ingestor.esi.items import ItemsRead
from ingestor.esi.models import PublicItem
from ingestor.stores import sql, valuing
from ingestor.stores.items import ItemStore, described, facts_of

READ_PER_MINUTE = 2_000
"""Of contracts whose items are to be read again, so that they never crowd out new ones."""
DUE_PER_RUN = 10_000

_LIVE = "delisted_at IS NULL"
_OUTDATED = f"enrichment_version < :below_version AND {_LIVE}"
_DUE = f"{_LIVE} AND date_expired > now() AND (items_due_at <= now() OR items_due_at IS NULL)"

WAITING = text(f"""
/* replaying.waiting: min() takes the index even where the planner knows nothing of versions yet */
SELECT (SELECT min(enrichment_version) < :below_version FROM contracts WHERE items_state = 'stored' AND {_LIVE})
    OR EXISTS (SELECT FROM contracts WHERE items_state = 'failed' AND {_DUE})
""")  # noqa: S608 - our own conditions

STORED = """
/* replaying.stored: those that this run has not looked at yet, locked in the order in which everybody locks them */
SELECT contract_id, region_id, label, composition, contains_ship, items_offered, items_requested
  FROM contracts
 WHERE items_state = 'stored' AND items_run_id IS DISTINCT FROM :run_id AND {scope}
 ORDER BY contract_id LIMIT :most FOR UPDATE
"""

ITEMS = text(f"""
/* replaying.items */
SELECT {", ".join(sql.ITEM_COLUMNS)} FROM contract_items
 WHERE contract_id = ANY(:contract_ids) ORDER BY contract_id, record_id
""")  # noqa: S608 - our own column names

LOOKED_AT = text("""
/* replaying.looked_at: what cannot be summarised is to be read again; what it shows stays until then */
UPDATE contracts
   SET items_run_id = :run_id,
       items_state = CASE WHEN contract_id = ANY(:unreadable) THEN 'failed' ELSE items_state END,
       items_error = CASE WHEN contract_id = ANY(:unreadable) THEN 'what is stored cannot be summarised' END,
       items_due_at = CASE WHEN contract_id = ANY(:unreadable) THEN now() END
 WHERE contract_id = ANY(:contract_ids)
""")

WANT = """
/* replaying.want: due one after the other, behind those that an earlier run wants. What is shown of them stays. */
WITH chosen AS MATERIALIZED (
  SELECT contract_id FROM contracts
   WHERE (items_state = 'failed' AND {missing}) {also}
   ORDER BY contract_id LIMIT :most FOR UPDATE
), placed AS (
  SELECT contract_id, row_number() OVER (ORDER BY contract_id) - 1 AS place FROM chosen
), line AS (
  SELECT greatest(now(), max(items_due_at)) AS ends
    FROM contracts WHERE items_state = 'wanted' AND items_sent_at IS NULL
)
UPDATE contracts c
   SET items_state = 'wanted', items_run_id = :run_id, items_sent_at = NULL,
       items_attempts = CASE WHEN :anew THEN 0 ELSE items_attempts END,
       items_due_at = line.ends + placed.place * CAST(:pace AS interval)
  FROM placed, line
 WHERE c.contract_id = placed.contract_id
RETURNING c.contract_id
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """What a scope means as conditions on contracts: on those whose items are stored, and on those without any."""

    stored: str
    missing: str
    arguments: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Derived:
    """How many contracts a chunk held, and of how many it shows something new."""

    looked_at: int
    changed: int


async def waiting(connection: AsyncConnection) -> bool:
    """Whether a live contract was summarised by older rules, or could not be read and is due again."""
    return bool(await connection.scalar(WAITING, {"below_version": VERSION}))


async def derive(connection: AsyncConnection, items: ItemStore, run_id: UUID, scope: Scope, *, most: int) -> Derived:
    """Summarise again the next contracts in `scope` whose items are stored; those whose summary changes are told of."""
    reach = _reach(scope)
    await connection.execute(text(valuing.VALUE_BY_THESE))  # before any contract is locked, as everybody does
    stored = text(STORED.format(scope=reach.stored))
    found = (await connection.execute(stored, {**reach.arguments, "run_id": run_id, "most": most})).all()
    before = {row.contract_id: row for row in found}
    held = await _held(connection, list(before))
    facts = await facts_of(connection, {item.type_id for entry in held for item in entry.items})
    made = await described(connection, held, facts)
    told = {
        entry.contract_id: before[entry.contract_id].region_id
        for entry, summary, *_ in made
        if _differs(before[entry.contract_id], summary)
    }
    await items.summarise_again(connection, made, told)
    unreadable = sorted(set(before) - {of.entry.contract_id for of in made})
    await connection.execute(LOOKED_AT, {"run_id": run_id, "contract_ids": list(before), "unreadable": unreadable})
    return Derived(len(before), len(told))


async def want(connection: AsyncConnection, run_id: UUID, scope: Scope, *, force: bool) -> int:
    """Ask for the items of contracts in `scope` that have none, with `force` also of the others; says of how many.

    Those are tried as often as new ones are. Without any scope it is those that were given up a while ago, once.
    """
    reach, due = _reach(scope), not scope.parts()
    also = f"OR (items_state = 'stored' AND {reach.stored})" if force else ""
    wanted = await connection.execute(
        text(WANT.format(missing=reach.missing, also=also)),
        {
            **reach.arguments,
            "run_id": run_id,
            "anew": not due,
            "most": DUE_PER_RUN if due else None,
            "pace": timedelta(minutes=1) / READ_PER_MINUTE,
        },
    )
    return len(wanted.all())


def _reach(scope: Scope) -> Reach:
    if scope.region_id is not None:
        region = f"region_id = :region_id AND {_LIVE}"
        return Reach(region, region, {"region_id": scope.region_id})
    if scope.contract_id is not None:
        contract = "contract_id = :contract_id"
        return Reach(contract, contract, {"contract_id": scope.contract_id})
    if scope.below_version is not None:
        return Reach(_OUTDATED, _LIVE, {"below_version": scope.below_version})
    return Reach(_OUTDATED, _DUE, {"below_version": VERSION})


async def _held(connection: AsyncConnection, contract_ids: Sequence[int]) -> list[ItemsRead]:
    by_contract: dict[int, list[PublicItem]] = defaultdict(list)
    for contract_id, *columns in await connection.execute(ITEMS, {"contract_ids": contract_ids}):
        by_contract[contract_id].append(PublicItem(*columns))
    return [ItemsRead(contract_id, tuple(items)) for contract_id, items in by_contract.items()]


def _differs(before: Row[Any], summary: Summary) -> bool:
    """Whether an event would say something else than the last one."""
    told = ("label", "composition", "contains_ship", "items_offered", "items_requested")
    return any(getattr(before, name) != getattr(summary, name) for name in told)
