"""What is offered is found by steps of its price and value, by place and by what few are, in one index"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SURELY_LISTED = "(delisted_at IS NULL) IS TRUE"
NAME = "ix_contracts_facets"
ISSUED_ON = "(ARRAY[(date_issued AT TIME ZONE 'UTC')::date])"
# Each is one expression, so that PostgreSQL puts it in the place of the call.
FUNCTIONS = {
    "steps_of_price(price numeric)": """
RETURNS int[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN price <= 1000000 THEN '{1,3,10,30}'::int[] WHEN price <= 3000000 THEN '{3,10,30}'::int[]
              WHEN price <= 10000000 THEN '{10,30}'::int[] WHEN price <= 30000000 THEN '{30}'::int[]
              ELSE '{}'::int[] END
$$
""",
    "steps_of_value(ratio float8)": """
RETURNS int[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN ratio <= 0.6 THEN '{60,80,100,120}'::int[] WHEN ratio <= 0.8 THEN '{80,100,120}'::int[]
              WHEN ratio <= 1.0 THEN '{100,120}'::int[] WHEN ratio <= 1.2 THEN '{120}'::int[] ELSE '{}'::int[] END
$$
""",
    "traits_of(region bigint, system bigint, station bigint, corporation bigint, security text, type text,"
    " has_ship boolean)": """
RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_remove(ARRAY[
    nullif(region, 10000002), coalesce(system, 1), station, corporation,
    CASE security WHEN 'low' THEN 2 WHEN 'null' THEN 3 WHEN 'wormhole' THEN 4 END,
    CASE type WHEN 'auction' THEN 5 END, CASE WHEN has_ship THEN 6 END], NULL)
$$
""",
}
MILLIONS, HUNDREDTHS = "steps_of_price(price)", "steps_of_value(value_ratio)"
TRAITS = "traits_of(region_id, system_id, start_location_id, issuer_corporation_id, security, type, contains_ship)"
# PostgreSQL ignores what it knows of a partial index's expressions, and expects one in two hundred.
STATISTICS = {"day": ISSUED_ON, "price": MILLIONS, "value": HUNDREDTHS, "traits": TRAITS}


def upgrade() -> None:
    for signature, body in FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {signature} {body}")
    _replace([ISSUED_ON, MILLIONS, HUNDREDTHS, TRAITS], f"{SURELY_LISTED} AND facets IS NOT NULL")
    for name, expression in STATISTICS.items():
        op.execute(f"CREATE STATISTICS contracts_by_{name} ON ({expression}) FROM contracts")
    op.execute("ANALYZE contracts")  # else they are empty until a tenth of all contracts have changed


def downgrade() -> None:
    for name in STATISTICS:
        op.execute(f"DROP STATISTICS contracts_by_{name}")
    _replace([ISSUED_ON], SURELY_LISTED)
    for signature in FUNCTIONS:
        op.execute(f"DROP FUNCTION {signature}")


def _replace(beside: Sequence[str], where: str) -> None:
    columns: list[Any] = ["facets", *map(sa.text, beside)]
    op.drop_index(NAME, table_name="contracts")
    op.create_index(
        NAME,
        "contracts",
        columns,
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text(where),
    )
