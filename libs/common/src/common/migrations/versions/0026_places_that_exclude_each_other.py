"""Places that exclude each other are seen in an index: a system that is in another region, or not of low security"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0026"
down_revision: str | None = "0025"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LISTED = "delisted_at IS NULL"
UNSAFE = f"{LISTED} AND security <> 'high'::text"


def upgrade() -> None:
    _replace(
        ["system_id", "start_location_id", "region_id"], ["security", "region_id", "system_id", "start_location_id"]
    )


def downgrade() -> None:
    _replace(["system_id", "start_location_id"], ["security"])


def _replace(place: list[str], unsafe: list[str]) -> None:
    for name, columns, where in (
        ("ix_contracts_live_place", place, LISTED),
        ("ix_contracts_live_unsafe", unsafe, UNSAFE),
    ):
        op.drop_index(name, table_name="contracts")
        op.create_index(name, "contracts", columns, unique=False, postgresql_where=sa.text(where))
