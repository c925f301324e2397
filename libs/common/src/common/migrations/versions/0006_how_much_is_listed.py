"""How much is listed: of each type, group and category, and at each place"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COUNTED_BY = """
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
# Whoever finds another at it lets it be.
FOLD = """
CREATE FUNCTION fold_listed_counts() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('freeport listed counts', 0)) THEN
    RETURN;
  END IF;
  WITH taken AS (DELETE FROM listed_count_changes RETURNING kind, id, change)
  INSERT INTO listed_counts AS c (kind, id, contracts)
  SELECT kind, id, sum(change) FROM taken GROUP BY kind, id
      ON CONFLICT (kind, id) DO UPDATE SET contracts = c.contracts + excluded.contracts;
END $$
"""
COUNT = """
CREATE FUNCTION count_listed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT k.kind, k.id, count(*)
      FROM seen, counted_by(facets, region_id, system_id, start_location_id) k
     WHERE delisted_at IS NULL GROUP BY k.kind, k.id;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT k.kind, k.id, -count(*)
      FROM was, counted_by(facets, region_id, system_id, start_location_id) k
     WHERE delisted_at IS NULL GROUP BY k.kind, k.id;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH moved AS (
      SELECT w.delisted_at IS NULL AS before, w.facets AS facets_before, w.region_id AS region_before,
             w.system_id AS system_before, w.start_location_id AS station_before,
             s.delisted_at IS NULL AS after, s.facets, s.region_id, s.system_id, s.start_location_id
        FROM was w JOIN seen s USING (contract_id)
       WHERE (w.delisted_at IS NULL, w.facets, w.region_id, w.system_id, w.start_location_id)
             IS DISTINCT FROM (s.delisted_at IS NULL, s.facets, s.region_id, s.system_id, s.start_location_id)
    ), each AS (
      SELECT k.kind, k.id, -1 AS change
        FROM moved, counted_by(facets_before, region_before, system_before, station_before) k WHERE before
       UNION ALL
      SELECT k.kind, k.id, 1 FROM moved, counted_by(facets, region_id, system_id, start_location_id) k WHERE after
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
TRIGGERS = (
    "INSERT ON contracts REFERENCING NEW TABLE AS seen",
    "UPDATE ON contracts REFERENCING OLD TABLE AS was NEW TABLE AS seen",
    "DELETE ON contracts REFERENCING OLD TABLE AS was",
    "TRUNCATE ON contracts",
)
LISTED = """
INSERT INTO listed_counts (kind, id, contracts)
SELECT k.kind, k.id, count(*) FROM contracts, counted_by(facets, region_id, system_id, start_location_id) k
 WHERE delisted_at IS NULL GROUP BY k.kind, k.id
"""


def upgrade() -> None:
    op.create_table(
        "listed_counts",
        sa.Column("kind", sa.Text(), nullable=False, comment="type, group, category, region, system or station"),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contracts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_listed_counts")),
        comment="How many listed contracts offer something, or start somewhere, but for listed_count_changes",
    )
    op.create_table(
        "listed_count_changes",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        comment="What is still to be added to listed_counts; written by a trigger of contracts, so that nobody waits",
    )
    op.execute(COUNTED_BY)
    op.execute(FOLD)
    op.execute(COUNT)
    op.execute(LISTED)
    for trigger in TRIGGERS:
        name = f"count_listed_{trigger.split()[0].lower()}"
        op.execute(f"CREATE TRIGGER {name} AFTER {trigger} FOR EACH STATEMENT EXECUTE FUNCTION count_listed()")


def downgrade() -> None:
    op.execute("DROP FUNCTION count_listed() CASCADE")
    op.execute("DROP FUNCTION fold_listed_counts()")
    op.execute("DROP FUNCTION counted_by(int[], bigint, bigint, bigint)")
    op.drop_table("listed_count_changes")
    op.drop_table("listed_counts")
