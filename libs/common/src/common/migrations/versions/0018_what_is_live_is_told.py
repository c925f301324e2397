"""What is live is told: which counts a commit changed, apart from all else that contracts show"""

from collections.abc import Sequence

from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# As in the revision 0015, but that it tells. The two tables that it compares anyway say what shows: what is counted,
# and when it expires, for that is taken off when it is read.
COUNT = """
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
# Names of New Eden correct what is searched for anywhere; all other words lead to contracts only.
TELL_OF_WORDS = """
CREATE FUNCTION tell_market_of_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM touched WHERE is_named) THEN
    PERFORM pg_notify('freeport_market', 'universe');
  END IF;
  IF EXISTS (SELECT FROM touched WHERE NOT is_named) THEN
    PERFORM pg_notify('freeport_market', 'contracts');
  END IF;
  RETURN NULL;
END $$
"""
TRIGGER = """
CREATE OR REPLACE TRIGGER tell_market_{event} AFTER {event} ON words REFERENCING {rows} TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION {function}
"""
TRUNCATED = """
CREATE TRIGGER tell_market_truncate_names AFTER TRUNCATE ON words
FOR EACH STATEMENT EXECUTE FUNCTION tell_market('universe')
"""
EVENTS = {"insert": "NEW", "update": "NEW", "delete": "OLD"}


def upgrade() -> None:
    op.execute(COUNT)
    op.execute(TELL_OF_WORDS)
    for event, rows in EVENTS.items():
        op.execute(TRIGGER.format(event=event, rows=rows, function="tell_market_of_words()"))
    op.execute(TRUNCATED)


def downgrade() -> None:
    # `count_listed` may stay as it is: whoever does not know the subject `live` does not mind it.
    op.execute("DROP TRIGGER tell_market_truncate_names ON words")
    for event, rows in EVENTS.items():
        op.execute(TRIGGER.format(event=event, rows=rows, function="tell_market('contracts')"))
    op.execute("DROP FUNCTION tell_market_of_words()")
