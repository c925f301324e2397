"""What is asked for a type is found by the type and the day, without all else that ever held it"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NAME = "ix_contracts_asked"
ASKED = "type = 'item_exchange' AND composition = 'single' AND items_state = 'stored' AND price > 0::numeric"
# Of what was stored before there were facets, and left its list before it was read again.
FACETS = """
UPDATE contracts c SET facets = f.facets
  FROM (SELECT i.contract_id, array_agg(DISTINCT facet ORDER BY facet)::int[] AS facets
          FROM contracts o JOIN contract_items i USING (contract_id) LEFT JOIN types t USING (type_id)
               LEFT JOIN groups g USING (group_id),
               unnest(ARRAY[i.type_id, t.group_id + 1000000000, g.category_id + 2000000000]) AS facet
         WHERE o.facets IS NULL AND o.composition = 'single' AND i.is_included AND facet <= 2147483647
         GROUP BY i.contract_id) f
 WHERE c.contract_id = f.contract_id
"""


def upgrade() -> None:
    op.execute(FACETS)
    op.create_index(
        NAME, "contracts", [sa.text("(facets[1])"), "delisted_at"], unique=False, postgresql_where=sa.text(ASKED)
    )


def downgrade() -> None:
    op.drop_index(NAME, table_name="contracts")
