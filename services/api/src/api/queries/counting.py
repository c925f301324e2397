"""How many contracts a list holds: exactly where that is quick, else by a sample."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api.queries import filters
from api.queries.arguments import Arguments
from api.queries.search import Search
from api.schemas.contract_filters import ContractFilters, State
from api.schemas.contracts import Count

QUICK = 1_500.0
"""Of the planner's cost units, chosen from plans and not from a clock: what costs more is estimated."""
MOST_EXCLUDED = 1_000
"""So many are counted of what is excluded; then it is at least that."""
SAMPLED = 1_500
"""Contracts that a sample has, at most."""
ONE_OF = 32
"""Of so many live contracts, one stands in the index `ix_contracts_live_sample`."""

BY_TYPE = "SELECT c.type, count(*) AS n FROM contracts c WHERE {where} GROUP BY c.type"
# By a hash of their ids: the first of them are any of them.
LIVE_SAMPLE = f"""
(SELECT * FROM contracts WHERE delisted_at IS NULL AND contract_id % {ONE_OF} = 0
  ORDER BY hashint8(contract_id) LIMIT {SAMPLED})
"""  # noqa: S608 - constants
# Rows of some pages of the table: those that were written together are alike, so it tells less.
STORED_SAMPLE = f"""
(SELECT * FROM contracts TABLESAMPLE SYSTEM (
    (SELECT least(100, 100.0 * {SAMPLED} / greatest(reltuples, 1)) FROM pg_class WHERE oid = 'contracts'::regclass)))
"""  # noqa: S608 - constants
SAMPLE = """
/* counting.sample */
SELECT c.type, count(*) FILTER (WHERE {where}) AS n, count(*) AS sampled,
       (SELECT reltuples FROM pg_class WHERE oid = '{among}'::regclass) AS among
  FROM {sample} AS c GROUP BY c.type
"""
EXCLUDED = "SELECT count(*) FROM (SELECT FROM contracts c WHERE {where} LIMIT {most} + 1) AS counted"


@dataclass(frozen=True, slots=True)
class Counted:
    """Contracts by type, and whether that is exact."""

    by_type: Mapping[str, int]
    exact: bool

    def total(self, types: Sequence[str] = ()) -> int:
        """Of these types, or of all if none is named."""
        return sum(n for name, n in self.by_type.items() if not types or name in types)


async def counts(
    connection: Any, query: ContractFilters, search: Search | None, count: Count, whole: list[str] | None
) -> str:
    """The counts of the list as JSON text. `whole`: the types of all its contracts, where they are known already."""
    if count is Count.NONE:
        return "null"
    if whole is not None and not query.contract_type:
        return _told(Counted(Counter(whole), exact=True), len(whole), exact=True)
    by_type = await _counted(connection, query.model_copy(update={"contract_type": []}), search, count)
    if whole is not None:
        return _told(by_type, len(whole), exact=True)
    if not query.contract_type or by_type.exact:
        return _told(by_type, by_type.total(query.contract_type), exact=by_type.exact)
    asked = await _counted(connection, query, search, count)
    return _told(by_type, asked.total(), exact=asked.exact)


async def excluded(connection: Any, query: ContractFilters, search: Search | None, count: Count, unread: int) -> str:
    """What the list lacks because it is unknown, as JSON text. `unread`: live contracts whose items are, anywhere."""
    told = []
    for reason in filters.reasons(query):
        none_unread = reason == "items" and unread == 0 and query.wanted_state is State.LIVE
        number = 0 if none_unread else await _excluded(connection, query, search, count, reason)
        told.append(
            {
                "because": reason,
                "contracts": None if number is None else min(number, MOST_EXCLUDED),
                "contracts_is": (
                    "not counted" if number is None else "exact" if number <= MOST_EXCLUDED else "at least"
                ),
            }
        )
    return orjson.dumps(told).decode()


async def _excluded(
    connection: Any, query: ContractFilters, search: Search | None, count: Count, reason: str
) -> int | None:
    """So many, one more than `MOST_EXCLUDED` at most; None where that would take too long."""
    if count is Count.NONE:
        return None
    where, arguments = filters.excluded(query, reason, search)
    statement = EXCLUDED.format(where=where, most=MOST_EXCLUDED)
    if count is Count.ESTIMATED and await _cost(connection, statement, arguments) > QUICK:
        return None
    number: int = await connection.fetchval(statement, *arguments)
    return number


async def _counted(connection: Any, query: ContractFilters, search: Search | None, count: Count) -> Counted:
    arguments = Arguments()
    statement = BY_TYPE.format(where=filters.where(query, arguments, search))
    if count is Count.ESTIMATED and await _cost(connection, statement, arguments) > QUICK:
        return await _sampled(connection, query, search)
    rows = await connection.fetch(statement, *arguments)
    return Counted({row["type"]: row["n"] for row in rows}, exact=True)


async def _sampled(connection: Any, query: ContractFilters, search: Search | None) -> Counted:
    arguments = Arguments()
    where = filters.where(query, arguments, search)
    is_live = query.wanted_state is State.LIVE
    sample, among = (LIVE_SAMPLE, "ix_contracts_live_sample") if is_live else (STORED_SAMPLE, "contracts")
    rows = await connection.fetch(SAMPLE.format(where=where, sample=sample, among=among), *arguments)
    sampled = sum(row["sampled"] for row in rows)
    if sampled == 0:
        return Counted({}, exact=False)
    # A sample of all that the index holds tells how much that is; of more, PostgreSQL knows from its last analysis.
    among_so_many = sampled if is_live and sampled < SAMPLED else max(sampled, rows[0]["among"])
    each = among_so_many / sampled * (ONE_OF if is_live else 1)
    return Counted({row["type"]: round(row["n"] * each) for row in rows if row["n"]}, exact=False)


async def _cost(connection: Any, statement: str, arguments: Sequence[object]) -> float:
    """What the planner thinks that the statement costs, in its own units."""
    plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arguments)
    cost: float = orjson.loads(plan)[0]["Plan"]["Total Cost"]
    return cost


def _told(by_type: Counted, total: int, *, exact: bool) -> str:
    return orjson.dumps(
        {
            "total": total,
            "total_is": "exact" if exact else "estimated",
            "by_type": dict(sorted(by_type.by_type.items())),
            "by_type_is": "exact" if by_type.exact else "estimated",
        }
    ).decode()
