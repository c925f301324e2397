"""How much is listed of each type of contract, and what is gone in the order in which it was issued"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

GONE = "delisted_at IS NOT NULL"
KINDS = "type, group, category, region, system or station"
MORE_KINDS = f"{KINDS}; or contract and a type of contract, of which the id is a region's"

COUNTED_BY = """
CREATE FUNCTION counted_by(type text, facets int[], region_id bigint, system_id bigint, station_id bigint)
RETURNS TABLE (kind text, id bigint) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN facet < 1000000000 THEN 'type' WHEN facet < 2000000000 THEN 'group' ELSE 'category' END,
         (facet % 1000000000)::bigint
    FROM unnest($2) AS facet
   UNION ALL
  SELECT place, number
    FROM (VALUES ('contract ' || $1, $3), ('region', $3), ('system', $4), ('station', $5)) AS at (place, number)
   WHERE number IS NOT NULL
$$
"""
COUNTED_BY_BEFORE = """
CREATE FUNCTION counted_by(facets int[], region_id bigint, system_id bigint, station_id bigint)
RETURNS TABLE (kind text, id bigint) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN facet < 1000000000 THEN 'type' WHEN facet < 2000000000 THEN 'group' ELSE 'category' END,
         (facet % 1000000000)::bigint
    FROM unnest($1) AS facet
   UNION ALL
  SELECT place, number FROM (VALUES ('region', $2), ('system', $3), ('station', $4)) AS at (place, number)
   WHERE number IS NOT NULL
$$
"""
# {of} is what a contract is counted by, {before} the same of what it was.
COUNT = """
CREATE OR REPLACE FUNCTION count_listed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT k.kind, k.id, count(*) FROM seen, counted_by({of}) k WHERE delisted_at IS NULL GROUP BY k.kind, k.id;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT k.kind, k.id, -count(*) FROM was, counted_by({of}) k WHERE delisted_at IS NULL GROUP BY k.kind, k.id;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH moved AS (
      SELECT w.delisted_at IS NULL AS before, w.type AS type_before, w.facets AS facets_before,
             w.region_id AS region_before, w.system_id AS system_before, w.start_location_id AS station_before,
             s.delisted_at IS NULL AS after, {seen}
        FROM was w JOIN seen s USING (contract_id)
       WHERE (w.delisted_at IS NULL, {was}) IS DISTINCT FROM (s.delisted_at IS NULL, {seen})
    ), each AS (
      SELECT k.kind, k.id, -1 AS change FROM moved, counted_by({before}) k WHERE before
       UNION ALL
      SELECT k.kind, k.id, 1 FROM moved, counted_by({of}) k WHERE after
    )
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT kind, id, sum(change) FROM each GROUP BY kind, id HAVING sum(change) <> 0;
  ELSE
    DELETE FROM listed_count_changes;
    DELETE FROM listed_counts;
  END IF;
  -- Every fiftieth statement folds what has gathered, so that there is never much to add up.
  IF random() < 0.02 THEN
    PERFORM fold_listed_counts();
  END IF;
  RETURN NULL;
END $$
"""
COLUMNS = ("type", "facets", "region_id", "system_id", "start_location_id")
BEFORE = ("type_before", "facets_before", "region_before", "system_before", "station_before")
LISTED = """
INSERT INTO listed_counts (kind, id, contracts)
SELECT 'contract ' || type, region_id, count(*) FROM contracts WHERE delisted_at IS NULL GROUP BY 1, 2
"""
UNLISTED = "DELETE FROM {table} WHERE kind LIKE 'contract %'"


def upgrade() -> None:
    op.create_index(
        "ix_contracts_gone", "contracts", ["date_issued", "contract_id"], unique=False, postgresql_where=sa.text(GONE)
    )
    op.create_index(
        "ix_contracts_gone_region",
        "contracts",
        ["region_id", "date_issued", "contract_id"],
        unique=False,
        postgresql_where=sa.text(GONE),
    )
    op.execute(COUNTED_BY)
    op.execute(_counting(COLUMNS, BEFORE))
    op.execute("DROP FUNCTION counted_by(int[], bigint, bigint, bigint)")
    op.execute(LISTED)
    _comment(KINDS, MORE_KINDS)


def downgrade() -> None:
    _comment(MORE_KINDS, KINDS)
    op.execute(COUNTED_BY_BEFORE)
    op.execute(_counting(COLUMNS[1:], BEFORE[1:]))
    op.execute("DROP FUNCTION counted_by(text, int[], bigint, bigint, bigint)")
    for table in ("listed_counts", "listed_count_changes"):
        op.execute(UNLISTED.format(table=table))
    op.drop_index("ix_contracts_gone_region", table_name="contracts")
    op.drop_index("ix_contracts_gone", table_name="contracts")


def _counting(columns: Sequence[str], before: Sequence[str]) -> str:
    return COUNT.format(
        of=", ".join(columns),
        before=", ".join(before),
        was=", ".join(f"w.{name}" for name in columns),
        seen=", ".join(f"s.{name}" for name in columns),
    )


def _comment(was: str, now: str) -> None:
    op.alter_column("listed_counts", "kind", existing_type=sa.Text(), existing_comment=was, comment=now)
