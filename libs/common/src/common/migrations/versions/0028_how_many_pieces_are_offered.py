"""How many pieces of one article are offered, so that what is asked for a type is told by an index alone"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NAME = "ix_contracts_asked"
ASKED = "type = 'item_exchange' AND composition = 'single' AND items_state = 'stored' AND price > 0::numeric"
COMMENT = "Pieces of the one article it offers; 0: of several; null: its items tell"
OF_ASKED = [
    "region_id",
    "contract_id",
    "date_expired",
    "units",
    "runs",
    "material_efficiency",
    "time_efficiency",
    "is_blueprint_copy",
    "facets",
    "price",
    "outcome",
]


def upgrade() -> None:
    # Nothing is filled in: the ingestor counts the pieces of live contracts again, and of the others their items tell.
    op.add_column("contracts", sa.Column("units", sa.BigInteger(), comment=COMMENT))
    _replace(OF_ASKED)


def downgrade() -> None:
    _replace([])
    op.drop_column("contracts", "units")


def _replace(included: list[str]) -> None:
    op.drop_index(NAME, table_name="contracts")
    op.create_index(
        NAME,
        "contracts",
        [sa.text("(facets[1])"), "delisted_at"],
        unique=False,
        postgresql_include=included,
        postgresql_where=sa.text(ASKED),
    )
