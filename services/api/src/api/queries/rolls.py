"""Who offers items with a rare attribute, and who offers some whose attributes nobody knows."""

from collections.abc import Sequence
from typing import Any, Final

from api.queries.arguments import Arguments
from api.schemas.contract_filters import ContractFilters

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

MOST_UNREAD: Final = 1_000
"""Items of which it is looked up who offers them."""

UNREAD = """
/* rolls.unread: none where that are too many */
WITH unread AS MATERIALIZED (
    SELECT contract_ids FROM dynamic_items WHERE state <> 'stored' LIMIT $1::int + 1
)
SELECT CASE WHEN (SELECT count(*) FROM unread) <= $1::int
            THEN ARRAY(SELECT DISTINCT contract_id
                         FROM unread, unnest(contract_ids) AS offered (contract_id) JOIN contracts c USING (contract_id)
                        WHERE c.delisted_at IS NULL) END
"""


async def unread(connection: Any, most: int = MOST_UNREAD) -> Sequence[int] | None:
    """The listed contracts that offer an item whose rolls are not known; None where those items are too many."""
    found: Sequence[int] | None = await connection.fetchval(UNREAD, most)
    return found


async def offering(connection: Any, filters: ContractFilters) -> Sequence[int] | None:
    """Contracts without which none has the rarest thing that `filters` ask for; None if none of that is rare."""
    fewest: Sequence[int] | None = None
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
