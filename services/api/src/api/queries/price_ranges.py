"""How many live contracts are in a range of prices, out of what the database counts of them by price as it writes.

A range is made of whole buckets, which are added up, and of a part of a bucket at either end, which is counted in an
index. So it costs about the same whatever the range and the size of the market. In some regions those are counted that
are at another price, if they are fewer.
"""

import math
import struct
from decimal import Decimal
from typing import Any, Final, NamedTuple

from api.queries import filters
from api.queries.arguments import Arguments
from api.queries.live_counts import OF_CONTRACT_TYPES, PASSED
from api.queries.samples import Counted, Sample
from api.schemas.contract_filters import ContractFilters, State

PRICES = ("price_min", "price_max")
LAST: Final = 2**53
"""Hundredths of ISK, with which the last bucket begins."""
MOST: Final = 10**20
"""Hundredths of ISK: no price is that high, and none is asked for that is higher."""

INSIDE = """
/* price_ranges.inside */
SELECT type, sum(n)::bigint AS n, sum(priced)::bigint AS priced FROM (
    SELECT substr(kind, 7), CASE WHEN id BETWEEN {first} AND {last} THEN contracts END, contracts
      FROM listed_counts WHERE kind LIKE 'price %'
    UNION ALL
    SELECT substr(kind, 7), CASE WHEN id BETWEEN {first} AND {last} THEN change END, change
      FROM listed_count_changes WHERE kind LIKE 'price %'
    UNION ALL
    SELECT c.type, CASE WHEN price_bucket(c.price) BETWEEN {first} AND {last} THEN c.change END, c.change
      FROM {passed} c WHERE c.price IS NOT NULL
    {ends}
   ) AS counted (type, n, priced)
 GROUP BY type HAVING sum(priced) > 0
"""
# Few, whichever: by not seeing how few, PostgreSQL plans the same for all, and once.
END = """
    UNION ALL
    SELECT c.type, count(*), 0 FROM contracts c
     WHERE {live} AND c.price >= (SELECT {least}::numeric) AND c.price <= (SELECT {most}::numeric) GROUP BY c.type
"""

# In one statement, so that both are of one instant.
ALL_BUT = f"""
/* price_ranges.all_but */
WITH listed AS ({OF_CONTRACT_TYPES}),
     others AS (SELECT c.type, count(*) AS n FROM ({{outside}}) AS c GROUP BY c.type)
SELECT type, listed.n - coalesce(others.n, 0) AS n FROM listed LEFT JOIN others USING (type)
 WHERE listed.n > coalesce(others.n, 0)
"""  # noqa: S608 - constants


class Parts(NamedTuple):
    """What a range of prices is made of: buckets from the first to the last, and ends, in hundredths of ISK.

    An end goes from a least to a most, and holds nothing if that is less.
    """

    first: int
    last: int
    ends: set[tuple[int, int]]


def bucket_of(cents: int) -> int:
    """In which bucket a price of so many hundredths of ISK is: what `price_bucket` says in SQL."""
    return -1 if cents < 0 else int.from_bytes(struct.pack(">d", min(cents, LAST))[:2])


def least_of(bucket: int) -> int:
    """The least price in a bucket, or in the next that has any, in hundredths of ISK; not of negative prices."""
    least: float = struct.unpack(">d", bucket.to_bytes(2) + bytes(6))[0]
    return math.ceil(least)


def parts_of(least: int | None, most: int | None) -> Parts:
    """Of a range from `least` to `most` hundredths of ISK, both included and neither negative."""
    first, last, ends = -1, bucket_of(LAST), set()
    if least is not None:
        first = bucket_of(least)
        if least > least_of(first):
            beyond = MOST if first == last else least_of(first + 1) - 1
            ends.add((least, beyond if most is None else min(most, beyond)))
            first += 1
    if most is not None:
        at_most = bucket_of(most)
        if at_most == last or most + 1 < least_of(at_most + 1):
            ends.add((max(least_of(at_most), least or 0), most))
            at_most -= 1
        last = at_most
    return Parts(first, last, ends)


def is_all(query: ContractFilters) -> bool:
    """Whether that is asked for, of live contracts anywhere and of any type, and nothing else."""
    return query.wanted_state is State.LIVE and query.uses_only(PRICES) and _has_range(query)


def all_but(query: ContractFilters) -> tuple[str, Arguments] | None:
    """What counts all that is live in some regions, or anywhere, but for those at another price than is asked for.

    None if more is asked than that. How many are live is known, whatever the size of the market.
    """
    if query.wanted_state is not State.LIVE or not query.uses_only(("region_id", *PRICES)) or not _has_range(query):
        return None
    arguments = Arguments([query.region_id])  # the first of `OF_CONTRACT_TYPES`
    lifted = query.model_copy(update=dict.fromkeys(PRICES))
    where = f"{filters.where(lifted, arguments)} AND {arguments.planned_anew()}"
    ends = [("<", query.price_min), (">", query.price_max)]
    prices = [f"c.price {sign} {arguments.place(end)}::numeric" for sign, end in ends if end is not None]
    parts = (f"SELECT c.type FROM contracts c WHERE {where} AND {each}" for each in [*prices, "c.price IS NULL"])  # noqa: S608 - placeholders
    return ALL_BUT.format(outside=" UNION ALL ".join(parts)), arguments


async def inside(connection: Any, query: ContractFilters) -> Sample:
    """The live contracts in the range of prices of `query`, exactly: a sample of all that have a price."""
    arguments = Arguments()
    parts = parts_of(_cents(query.price_min), _cents(query.price_max))
    first, last = (f"{arguments.place(bucket)}::int" for bucket in (parts.first, parts.last))
    ends = "".join(_end(arguments, *end) for end in sorted(parts.ends))
    rows = await connection.fetch(INSIDE.format(first=first, last=last, passed=PASSED, ends=ends), *arguments)
    by_type = {row["type"]: row["n"] for row in rows if row["n"]}
    priced = sum(row["priced"] for row in rows)
    found = sum(by_type.values())
    return Sample(Counted(by_type, exact=True), found, priced, by_type, among=priced, walked=priced, of_kind=priced)


def _has_range(query: ContractFilters) -> bool:
    return any(getattr(query, name) is not None for name in PRICES)


def _end(arguments: Arguments, least: int, most: int) -> str:
    return END.format(live=filters.LIVE, least=arguments.place(_isk(least)), most=arguments.place(_isk(most)))


def _cents(isk: Decimal | None) -> int | None:
    return None if isk is None else int(isk * 100)


def _isk(cents: int) -> Decimal:
    return Decimal(cents) / 100
