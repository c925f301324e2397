"""Who offers what few do: items with a rare attribute, or a copy at a price that can be compared."""

from collections.abc import Sequence
from typing import Any, Final

from api.queries.arguments import Arguments
from api.schemas.contract_filters import ContractFilters, State

BALANCE: Final = 28.0
"""Items are few up to the square root of this times all that are known. There a page is found in the same time both
ways; measured: 7 µs for each item that is found, 8 for each contract that is tried."""

OFFERING = """
/* rolls.offering: none where more items have it */
WITH few AS MATERIALIZED (
    SELECT sqrt({balance}::float8 * greatest(reltuples, 1))::int AS n
      FROM pg_class WHERE oid = 'dynamic_items'::regclass
), found AS MATERIALIZED (
    SELECT item_id FROM dynamic_item_attributes
     WHERE attribute_id = {attribute_id}::int AND value BETWEEN {least}::float8 AND {most}::float8
     LIMIT (SELECT n + 1 FROM few)
)
SELECT CASE WHEN (SELECT count(*) FROM found) <= (SELECT n FROM few)
            THEN ARRAY(SELECT DISTINCT unnest(d.contract_ids) FROM found JOIN dynamic_items d USING (item_id)) END
"""

MOST_COPIES: Final = 1_000
COPIES = """
/* rolls.copies: none where there are more; both are read from indexes alone */
WITH found AS MATERIALIZED (
    SELECT contract_id
      FROM (SELECT contract_id FROM contracts
             WHERE delisted_at IS NULL AND value_ratio IS NOT NULL
               AND value_ratio BETWEEN {least}::float8 AND {most}::float8
            OFFSET 0) valued
      JOIN (SELECT contract_id FROM contracts WHERE delisted_at IS NULL AND offers_copy OFFSET 0) copies
           USING (contract_id)
     LIMIT {limit} + 1
)
SELECT CASE WHEN (SELECT count(*) FROM found) <= {limit} THEN ARRAY(SELECT contract_id FROM found) END
"""
"""Copies are never priced, so that there are such contracts only by another release's rules."""


async def offering(connection: Any, filters: ContractFilters) -> Sequence[int] | None:
    """Contracts without which none has the rarest thing that `filters` ask for; None if none of that is rare."""
    fewest = await _valued_copies(connection, filters)
    for wanted in filters.attributes:
        arguments = Arguments()
        statement = OFFERING.format(
            attribute_id=arguments.place(wanted.attribute_id),
            least=arguments.place(float("-inf") if wanted.least is None else wanted.least),
            most=arguments.place(float("inf") if wanted.most is None else wanted.most),
            balance=arguments.place(BALANCE),
        )
        found = await connection.fetchval(statement, *arguments)
        if found is not None and (fewest is None or len(found) < len(fewest)):
            fewest = found
    return fewest


async def _valued_copies(connection: Any, filters: ContractFilters) -> Sequence[int] | None:
    """Live contracts that offer a copy and cost such a part of what they are worth, if both are asked for."""
    least, most = filters.value_ratio_min, filters.value_ratio_max
    if not filters.is_bpc or (least is None and most is None) or filters.wanted_state is not State.LIVE:
        return None
    arguments = Arguments()
    statement = COPIES.format(
        least=arguments.place(float("-inf") if least is None else least),
        most=arguments.place(float("inf") if most is None else most),
        limit=MOST_COPIES,
    )
    found: Sequence[int] | None = await connection.fetchval(statement, *arguments)
    return found
