"""A few contracts that stand for all: how many of them are in a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.queries import filters, offered
from api.queries.arguments import Arguments
from api.queries.search import Search
from api.schemas.contract_filters import ContractFilters, State

SAMPLED = 1_500
"""Contracts that a sample has, at most, and..."""
SAMPLED_ROWS = 1_000
"""... where they have to be read themselves, for what they offer is not in the index of the sample, and..."""
SAMPLED_INSIDE = 500
"""... where something has to be looked up of each: what it holds, or its words."""
OVERSHOT = 1.5
"""As days are doubled, so many times more are read than would do."""
DAYS_LISTED = 14
"""For which a contract stands in a list, about."""
LOOKED_UP = ("contract_items", "contract_words")
ONE_OF = 32
"""Of so many live contracts, one stands in the index `ix_contracts_live_sample`."""

# By a hash of their ids: the first of them are any of them.
LIVE_SAMPLE = f"""
(SELECT {{columns}} FROM contracts WHERE delisted_at IS NULL AND contract_id % {ONE_OF} = 0
  ORDER BY hashint8(contract_id) LIMIT {{most}})
"""  # noqa: S608 - constants
# Rows of some pages of the table: those that were written together are alike, so it tells less. The same pages every
# time, so that they are in memory.
STORED_SAMPLE = """
(SELECT {columns} FROM contracts TABLESAMPLE SYSTEM (
    (SELECT least(100, 100.0 * {most} / greatest(reltuples, 1)) FROM pg_class WHERE oid = 'contracts'::regclass))
    REPEATABLE (0))
"""
SAMPLE = """
/* samples.sampled */
SELECT c.type, count(*) FILTER (WHERE {where}) AS n, count(*) AS sampled, count(*) FILTER (WHERE {indexed}) AS walked,
       count(*) FILTER (WHERE {kind}) AS of_kind,
       (SELECT reltuples FROM pg_class WHERE oid = '{among}'::regclass) AS among
  FROM {sample} AS c GROUP BY c.type
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """Contracts by type, and whether that is exact."""

    by_type: Mapping[str, int]
    exact: bool

    def total(self, types: Sequence[str] = ()) -> int:
        """Of these types, or of all if none is named."""
        return sum(n for name, n in self.by_type.items() if not types or name in types)


@dataclass(frozen=True, slots=True)
class Sample:
    """What is estimated by a sample, of how many contracts in it, and how many of each type those are."""

    counted: Counted
    found: int
    sampled: int
    by_type: Mapping[str, int] = field(default_factory=dict)
    among: float = 0.0
    """So many live contracts there are."""
    walked: int = 0
    """Of the sample, those among which a walk in the order of issue looks (`filters.indexed`)."""
    of_kind: int = 0
    """Of the sample, those that offer what is asked for, whatever else they are."""

    def part(self, types: Sequence[str]) -> float:
        """Of all contracts, those that are found and of these types, or of any if none is named."""
        return self._found(types) / self.sampled if self.sampled else 0.0

    def between(self, types: Sequence[str]) -> float:
        """How many contracts a walk tries for each that is found; where none was, as if half a contract had been."""
        return (self.walked or self.sampled) / (self._found(types) or 0.5)

    @property
    def all_of_kind(self) -> float:
        """How many contracts of a kind there are; where the sample has none, as if it had one."""
        return self.among * max(self.of_kind, 1) / self.sampled if self.sampled else 0.0

    def looked_up(self, types: Sequence[str], wanted: int) -> float:
        """How many contracts of a kind are read, day by day, until so many are found."""
        if not self.sampled:
            return 0.0
        until_found = OVERSHOT * wanted * max(self.of_kind, 1) / (self._found(types) or 0.5)
        return min(max(until_found, self.all_of_kind / DAYS_LISTED), OVERSHOT * self.all_of_kind)

    def _found(self, types: Sequence[str]) -> int:
        return Counted(self.by_type, exact=False).total(types)


async def sampled(
    connection: Any, query: ContractFilters, search: Search | None, offering: Sequence[int] | None = None
) -> Sample:
    """What a list holds, by a sample of what is live, or of all that is stored if it is not about that."""
    arguments = Arguments()
    where = filters.where(query, arguments, search, offering)
    indexed, kind = filters.indexed(query, arguments), offered.of_a_kind(query, arguments) or "true"
    is_live = query.wanted_state is State.LIVE
    sample, among = (LIVE_SAMPLE, "ix_contracts_live_sample") if is_live else (STORED_SAMPLE, "contracts")
    if any(table in where for table in LOOKED_UP):
        most = SAMPLED_INSIDE
    else:
        most = SAMPLED_ROWS if "c.facets" in where else SAMPLED
    drawn = sample.format(columns=filters.columns(where, indexed, kind), most=most)
    statement = SAMPLE.format(where=where, indexed=indexed, kind=kind, sample=drawn, among=among)
    rows = await connection.fetch(statement, *arguments)
    looked_at = sum(row["sampled"] for row in rows)
    if looked_at == 0:
        return Sample(Counted({}, exact=False), 0, 0)
    # A sample of all that the index holds tells how much that is; of more, PostgreSQL knows from its last analysis.
    among_so_many = looked_at if is_live and looked_at < most else max(looked_at, rows[0]["among"])
    each = among_so_many / looked_at * (ONE_OF if is_live else 1)
    counted = Counted({row["type"]: round(row["n"] * each) for row in rows if row["n"]}, exact=False)
    found = {row["type"]: row["n"] for row in rows}
    walked, of_kind = (sum(row[name] for row in rows) for name in ("walked", "of_kind"))
    return Sample(counted, sum(found.values()), looked_at, found, each * looked_at, walked, of_kind)
