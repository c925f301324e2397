"""How many contracts a list holds: exactly where that is quick, else by a sample."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.queries import filters
from api.queries.arguments import Arguments
from api.schemas.contract_filters import ContractFilters, State
from api.schemas.contracts import Count

QUICK = 4_000.0
"""Of the planner's cost units: what is planned to cost less takes a few milliseconds. Measured."""
MOST_EXCLUDED = 1_000
"""So many are counted of what is excluded; then it is at least that."""
SAMPLED_PAGES = 200
"""Of the table, of which a sample is made: about 2,500 contracts."""

BY_TYPE = "SELECT c.type, count(*) AS n FROM contracts c WHERE {where} GROUP BY c.type"
SAMPLE = """
/* counting.sample */
WITH stored AS (
    SELECT reltuples, relpages FROM pg_class WHERE oid = 'contracts'::regclass
), sample AS MATERIALIZED (
    SELECT c.* FROM contracts c
           TABLESAMPLE SYSTEM ((SELECT least(100, 100.0 * {pages} / greatest(relpages, 1)) FROM stored))
), size AS (
    SELECT greatest(reltuples, 0) / greatest((SELECT count(*) FROM sample), 1) AS of_one FROM stored
)
SELECT c.type, count(*) AS n, (SELECT of_one FROM size) AS of_one FROM sample c WHERE {where} GROUP BY c.type
"""
EXCLUDED = "(SELECT count(*) FROM (SELECT FROM contracts c WHERE {where} LIMIT {most} + 1) AS counted)"


@dataclass(frozen=True, slots=True)
class Counted:
    """Contracts by type, and whether that is exact."""

    by_type: Mapping[str, int]
    exact: bool

    def total(self, types: list[str]) -> int:
        """Of these types, or of all if none is named."""
        return sum(n for name, n in self.by_type.items() if not types or name in types)


async def counts(connection: Any, query: ContractFilters, count: Count, whole: list[str] | None) -> str:
    """The counts of the list as JSON text. `whole`: the types of all its contracts, where they are known already."""
    if count is Count.NONE:
        return "null"
    lifted = query.model_copy(update={"contract_type": []})
    if whole is not None and not query.contract_type:
        return _told(Counted(Counter(whole), exact=True), len(whole), exact=True)
    counted = await _counted(connection, lifted, count)
    if whole is not None:
        return _told(counted, len(whole), exact=True)
    if not query.contract_type or counted.exact:
        return _told(counted, counted.total(query.contract_type), exact=counted.exact)
    narrow = await _counted(connection, query, count)
    return _told(counted, narrow.total([]), exact=narrow.exact)


async def excluded(connection: Any, query: ContractFilters, count: Count, unread: int) -> str:
    """What the list lacks because it is unknown, as JSON text. `unread`: live contracts whose items are, anywhere."""
    told = []
    for reason in filters.conditions(query, Arguments()).unknown:
        if reason == "items" and unread == 0 and query.wanted_state is State.LIVE:
            told.append({"because": reason, "contracts": 0, "contracts_is": "exact"})
            continue
        arguments = Arguments()
        where = " AND ".join(filters.conditions(query, arguments).excluded(reason))
        statement, used = arguments.used_in(f"SELECT {EXCLUDED.format(where=where, most=MOST_EXCLUDED)}")
        if count is Count.NONE or (count is Count.ESTIMATED and await _cost(connection, statement, used) > QUICK):
            told.append({"because": reason, "contracts": None, "contracts_is": "not counted"})
            continue
        number = await connection.fetchval(statement, *used)
        is_all = number <= MOST_EXCLUDED
        told.append(
            {
                "because": reason,
                "contracts": min(number, MOST_EXCLUDED),
                "contracts_is": "exact" if is_all else "at least",
            }
        )
    return json.dumps(told)


async def _counted(connection: Any, query: ContractFilters, count: Count) -> Counted:
    arguments = Arguments()
    statement = BY_TYPE.format(where=filters.where(query, arguments))
    if count is Count.EXACT or await _cost(connection, statement, arguments) <= QUICK:
        rows = await connection.fetch(statement, *arguments)
        return Counted({row["type"]: row["n"] for row in rows}, exact=True)
    return await _sampled(connection, query)


async def _sampled(connection: Any, query: ContractFilters) -> Counted:
    arguments = Arguments()
    statement = SAMPLE.format(where=filters.where(query, arguments), pages=SAMPLED_PAGES)
    rows = await connection.fetch(statement, *arguments)
    return Counted({row["type"]: round(row["n"] * row["of_one"]) for row in rows}, exact=False)


async def _cost(connection: Any, statement: str, arguments: Sequence[object]) -> float:
    """What the planner thinks that the statement costs, in its own units."""
    plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arguments)
    cost: float = plan[0]["Plan"]["Total Cost"]
    return cost


def _told(counted: Counted, total: int, *, exact: bool) -> str:
    return json.dumps(
        {
            "total": total,
            "total_is": "exact" if exact else "estimated",
            "by_type": dict(sorted(counted.by_type.items())),
            "by_type_is": "exact" if counted.exact else "estimated",
        }
    )
