"""What has expired is taken off the counts once and for all, and what is listed is counted by its price too"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KINDS = "type, group, category, region, system or station; or contract and a type of contract, of which the id is a region's"
MORE_KINDS = f"{KINDS}; or price and a type of contract, of which the id is price_bucket()'s"
COUNTED = "How many listed contracts offer something, or start somewhere, but for listed_count_changes"
COUNTED_BEYOND = f"{COUNTED}, of those that expire after listed_count_horizon"

# Sixteen steps from a power of two to the next, of hundredths of ISK: the exponent of a number and the first four bits
# behind it are the first two bytes of its representation. Whole numbers that a float8 holds exactly, so that no price
# is rounded into the next step; all beyond those are the last.
PRICE_BUCKET = """
CREATE FUNCTION price_bucket(price numeric) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN price >= 0
              THEN (get_byte(float8send(least(price * 100, 9007199254740992)::float8), 0) << 8)
                   + get_byte(float8send(least(price * 100, 9007199254740992)::float8), 1)
              WHEN price < 0 THEN -1 END
$$
"""
# Each statement of a function sees what was committed before it began only where nobody asked for more.
BY_STATEMENT = """
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'what is listed is counted right under READ COMMITTED alone';
  END IF;
"""
LOCK = "hashtextextended('freeport listed count horizon', 0)"
HORIZON = "SELECT coalesce(max(expires_after), '-infinity') FROM listed_count_horizon"
# By price apart from all else: of contracts that are alike in this PostgreSQL works it out once (`Memoize`).
COUNT = f"""
CREATE OR REPLACE FUNCTION count_listed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  horizon timestamptz;
  shows boolean := true;
BEGIN
  {BY_STATEMENT}
  -- The horizon stays where it is until this transaction ends, so that whoever moves it sees what was counted.
  PERFORM pg_advisory_xact_lock_shared({LOCK});
  horizon := ({HORIZON});
  IF TG_OP = 'INSERT' THEN
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT k.kind, k.id, count(*)
      FROM seen, counted_by(type, facets, region_id, system_id, start_location_id) k
     WHERE delisted_at IS NULL AND date_expired > horizon GROUP BY k.kind, k.id
     UNION ALL
    SELECT 'price ' || type, price_bucket(price), count(*) FROM seen
     WHERE delisted_at IS NULL AND date_expired > horizon AND price IS NOT NULL GROUP BY type, 2;
    shows := EXISTS (SELECT FROM seen WHERE delisted_at IS NULL);
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT k.kind, k.id, -count(*)
      FROM was, counted_by(type, facets, region_id, system_id, start_location_id) k
     WHERE delisted_at IS NULL AND date_expired > horizon GROUP BY k.kind, k.id
     UNION ALL
    SELECT 'price ' || type, price_bucket(price), -count(*) FROM was
     WHERE delisted_at IS NULL AND date_expired > horizon AND price IS NOT NULL GROUP BY type, 2;
    shows := EXISTS (SELECT FROM was WHERE delisted_at IS NULL);
  ELSIF TG_OP = 'UPDATE' THEN
    -- All that is counted but for the price shows in answers that show no more than counts.
    WITH moved AS (
      SELECT w.delisted_at IS NULL AND w.date_expired > horizon AS before, w.type AS type_before,
             w.facets AS facets_before, w.region_id AS region_before, w.system_id AS system_before,
             w.start_location_id AS station_before, w.price AS price_before,
             s.delisted_at IS NULL AND s.date_expired > horizon AS after, s.type, s.facets, s.region_id, s.system_id,
             s.start_location_id, s.price,
             (w.delisted_at IS NULL, w.date_expired, w.type, w.facets, w.region_id, w.system_id, w.start_location_id)
             IS DISTINCT FROM
             (s.delisted_at IS NULL, s.date_expired, s.type, s.facets, s.region_id, s.system_id, s.start_location_id)
               AS differs
        FROM was w JOIN seen s USING (contract_id)
       WHERE (w.delisted_at IS NULL, w.date_expired, w.type, w.facets, w.region_id, w.system_id, w.start_location_id,
              w.price)
             IS DISTINCT FROM
             (s.delisted_at IS NULL, s.date_expired, s.type, s.facets, s.region_id, s.system_id, s.start_location_id,
              s.price)
    ), each AS (
      SELECT k.kind, k.id, -1 AS change
        FROM moved, counted_by(type_before, facets_before, region_before, system_before, station_before) k
       WHERE before
       UNION ALL
      SELECT k.kind, k.id, 1
        FROM moved, counted_by(type, facets, region_id, system_id, start_location_id) k WHERE after
       UNION ALL
      SELECT 'price ' || type_before, price_bucket(price_before), -1 FROM moved
       WHERE before AND price_before IS NOT NULL
         AND (before, type_before, price_before) IS DISTINCT FROM (after, type, price)
       UNION ALL
      SELECT 'price ' || type, price_bucket(price), 1 FROM moved
       WHERE after AND price IS NOT NULL
         AND (before, type_before, price_before) IS DISTINCT FROM (after, type, price)
    ), counted AS (
      INSERT INTO listed_count_changes (kind, id, change)
      SELECT kind, id, sum(change) FROM each GROUP BY kind, id HAVING sum(change) <> 0
    )
    SELECT coalesce(bool_or(differs), false) FROM moved INTO shows;
  ELSE
    DELETE FROM listed_count_changes;
    DELETE FROM listed_counts;
  END IF;
  IF shows THEN
    PERFORM pg_notify('freeport_market', 'live');
  END IF;
  -- Every fiftieth statement folds what has gathered, so that there is never much to add up.
  IF random() < 0.02 THEN
    PERFORM fold_listed_counts();
  END IF;
  RETURN NULL;
END $$
"""  # noqa: S608 - constants
COUNT_BEFORE = """
CREATE OR REPLACE FUNCTION count_listed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  shows boolean := true;
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT k.kind, k.id, count(*)
      FROM seen, counted_by(type, facets, region_id, system_id, start_location_id) k
     WHERE delisted_at IS NULL GROUP BY k.kind, k.id;
    shows := FOUND;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT k.kind, k.id, -count(*)
      FROM was, counted_by(type, facets, region_id, system_id, start_location_id) k
     WHERE delisted_at IS NULL GROUP BY k.kind, k.id;
    shows := FOUND;
  ELSIF TG_OP = 'UPDATE' THEN
    WITH moved AS (
      SELECT w.delisted_at IS NULL AS before, w.type AS type_before, w.facets AS facets_before,
             w.region_id AS region_before, w.system_id AS system_before, w.start_location_id AS station_before,
             s.delisted_at IS NULL AS after, s.type, s.facets, s.region_id, s.system_id, s.start_location_id
        FROM was w JOIN seen s USING (contract_id)
       WHERE (w.delisted_at IS NULL, w.date_expired, w.type, w.facets, w.region_id, w.system_id, w.start_location_id)
             IS DISTINCT FROM
             (s.delisted_at IS NULL, s.date_expired, s.type, s.facets, s.region_id, s.system_id, s.start_location_id)
    ), each AS (
      SELECT k.kind, k.id, -1 AS change
        FROM moved, counted_by(type_before, facets_before, region_before, system_before, station_before) k
       WHERE before
       UNION ALL
      SELECT k.kind, k.id, 1
        FROM moved, counted_by(type, facets, region_id, system_id, start_location_id) k WHERE after
    ), counted AS (
      INSERT INTO listed_count_changes (kind, id, change)
      SELECT kind, id, sum(change) FROM each GROUP BY kind, id HAVING sum(change) <> 0
    )
    SELECT EXISTS (SELECT FROM moved) INTO shows;
  ELSE
    DELETE FROM listed_count_changes;
    DELETE FROM listed_counts;
  END IF;
  IF shows THEN
    PERFORM pg_notify('freeport_market', 'live');
  END IF;
  -- Every fiftieth statement folds what has gathered, so that there is never much to add up.
  IF random() < 0.02 THEN
    PERFORM fold_listed_counts();
  END IF;
  RETURN NULL;
END $$
"""
# Back, too, where the clock was set back. A function that PostgreSQL plans once, and expects little of: in a statement it
# would plan the rest for a part of the market. In the order of the index that finds them, or it would rather look at
# all that is listed, half of which it takes for expired.
PASSED = f"""
CREATE FUNCTION passed_listed_count_horizon() RETURNS TABLE (
  change int, type text, facets int[], region_id bigint, system_id bigint, start_location_id bigint, price numeric
) LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10 AS $$
BEGIN
  RETURN QUERY
  SELECT CASE WHEN h.at <= now() THEN -1 ELSE 1 END,
         c.type, c.facets, c.region_id, c.system_id, c.start_location_id, c.price
    FROM ({HORIZON}) AS h (at),
         LATERAL (SELECT * FROM contracts WHERE delisted_at IS NULL
                     AND date_expired > least(h.at, now()) AND date_expired <= greatest(h.at, now())
                   ORDER BY date_expired OFFSET 0) AS c;
END $$
"""  # noqa: S608 - constants
# It waits for no writer: what is being written may be counted by the horizon as it is, and is not seen yet. Whoever has
# contracts for himself alone, and writes them, waits for the other lock then: so the two are taken in this order.
UNCOUNT = f"""
CREATE FUNCTION uncount_expired() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  expired bigint;
BEGIN
  {BY_STATEMENT}
  LOCK TABLE contracts IN ACCESS SHARE MODE;
  IF NOT pg_try_advisory_xact_lock({LOCK}) THEN
    RETURN NULL;
  END IF;
  WITH passed AS MATERIALIZED (
    SELECT * FROM passed_listed_count_horizon()
  ), counted AS (
    INSERT INTO listed_count_changes (kind, id, change)
    SELECT k.kind, k.id, sum(change)
      FROM passed, counted_by(type, facets, region_id, system_id, start_location_id) k GROUP BY k.kind, k.id
     UNION ALL
    SELECT 'price ' || type, price_bucket(price), sum(change) FROM passed WHERE price IS NOT NULL GROUP BY type, 2
  )
  SELECT count(*) FROM passed INTO expired;
  IF expired > 0 THEN
    UPDATE listed_count_horizon SET expires_after = now();
    IF NOT FOUND THEN
      INSERT INTO listed_count_horizon (expires_after) VALUES (now());
    END IF;
  END IF;
  RETURN expired;
END $$
"""  # noqa: S608 - constants
LISTED_BY_PRICE = """
INSERT INTO listed_counts (kind, id, contracts)
SELECT 'price ' || type, price_bucket(price), count(*) FROM contracts
 WHERE delisted_at IS NULL AND price IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
"""
COUNTED_AGAIN = f"""
INSERT INTO listed_count_changes (kind, id, change)
SELECT k.kind, k.id, count(*)
  FROM contracts, counted_by(type, facets, region_id, system_id, start_location_id) k
 WHERE delisted_at IS NULL AND date_expired <= ({HORIZON}) GROUP BY k.kind, k.id
"""  # noqa: S608 - constants
FEW = {"prices": "price", "contracts": "contract"}
"""Of what is read in a piece, apart from the thousands that are counted of types."""


def upgrade() -> None:
    _hold_writers()
    op.create_table(
        "listed_count_horizon",
        sa.Column("expires_after", sa.DateTime(timezone=True), nullable=False),
        comment="One row, or none yet: in listed_counts are listed contracts that expire after this",
    )
    op.execute(PRICE_BUCKET)
    op.execute(COUNT)
    op.execute(PASSED)
    op.execute(UNCOUNT)
    op.execute(LISTED_BY_PRICE)
    for name, kind in FEW.items():
        where = sa.text(f"kind LIKE '{kind} %'")
        op.create_index(f"ix_listed_counts_{name}", "listed_counts", ["id"], unique=False, postgresql_where=where)
    _comment(KINDS, MORE_KINDS)
    op.create_table_comment("listed_counts", COUNTED_BEYOND, existing_comment=COUNTED)


def downgrade() -> None:
    _hold_writers()
    op.create_table_comment("listed_counts", COUNTED, existing_comment=COUNTED_BEYOND)
    _comment(MORE_KINDS, KINDS)
    for name in FEW:
        op.drop_index(f"ix_listed_counts_{name}", table_name="listed_counts")
    op.execute(COUNT_BEFORE)
    op.execute(COUNTED_AGAIN)
    op.execute("DROP FUNCTION uncount_expired()")
    op.execute("DROP FUNCTION passed_listed_count_horizon()")
    op.execute("DROP FUNCTION price_bucket(numeric)")
    for table in ("listed_counts", "listed_count_changes"):
        op.execute(f"DELETE FROM {table} WHERE kind LIKE 'price %'")  # noqa: S608 - our own names
    op.drop_table("listed_count_horizon")


def _hold_writers() -> None:
    """Until all is counted anew by the function that counts from then on."""
    op.execute("LOCK TABLE contracts IN SHARE ROW EXCLUSIVE MODE")


def _comment(was: str, now: str) -> None:
    op.alter_column("listed_counts", "kind", existing_type=sa.Text(), existing_comment=was, comment=now)
