"""The market tells of its changes: each commit that answers would show says so on one channel"""

from collections.abc import Sequence

from alembic import op
from sqlalchemy.sql import text

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SUBJECTS = {
    "contracts": "contracts",
    "bids": "contracts",
    "contract_changes": "contracts",
    "dynamic_items": "contracts",
    "dynamic_item_attributes": "contracts",
    "coverage": "coverage",
    "prices": "prices",
    "price_sources": "prices",
    "price_statistics": "prices",
    "categories": "universe",
    "groups": "universe",
    "types": "universe",
    "regions": "universe",
    "systems": "universe",
    "stargates": "universe",
    "stations": "universe",
}
"""Of which table a statement that touches a row tells what."""

# PostgreSQL drops repeats within a transaction, and tells nobody before the commit.
TELL = """
CREATE FUNCTION tell_market() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- A statement that touched no row is no news. The transition table is there unless the trigger says 'always'.
  IF TG_OP <> 'TRUNCATE' AND TG_NARGS = 1 THEN
    IF NOT EXISTS (SELECT FROM touched) THEN
      RETURN NULL;
    END IF;
  END IF;
  PERFORM pg_notify('freeport_market', TG_ARGV[0]);
  RETURN NULL;
END $$
"""
# Every column shows but those named here: one that is added later shows, until somebody says otherwise.
TELL_OF_CONTRACTS = """
CREATE FUNCTION tell_market_of_contracts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  pair record;
  was contracts%ROWTYPE;
  seen contracts%ROWTYPE;
BEGIN
  FOR pair IN SELECT b AS was, a AS seen FROM before b JOIN touched a USING (contract_id) LOOP
    was := pair.was;
    seen := pair.seen;
    seen.missing_since := was.missing_since;
    seen.outcome_due_at := was.outcome_due_at;
    seen.outcome_attempts := was.outcome_attempts;
    seen.bids_due_at := was.bids_due_at;
    seen.items_run_id := was.items_run_id;
    seen.items_attempts := was.items_attempts;
    seen.items_sent_at := was.items_sent_at;
    seen.items_due_at := was.items_due_at;
    seen.items_error := was.items_error;
    seen.enrichment_version := was.enrichment_version;
    IF seen *<> was THEN
      PERFORM pg_notify('freeport_market', 'contracts');
      RETURN NULL;
    END IF;
  END LOOP;
  RETURN NULL;
END $$
"""
EACH = """
CREATE TRIGGER tell_market_{event} AFTER {event} ON {table} REFERENCING {rows} TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION tell_market('{subject}')
"""
TRUNCATED = """
CREATE TRIGGER tell_market_truncate AFTER TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION tell_market('{subject}')
"""
CONTRACTS = """
CREATE TRIGGER tell_market_update AFTER UPDATE ON contracts REFERENCING OLD TABLE AS before NEW TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION tell_market_of_contracts()
"""
# There are hundreds of thousands, and they come and go with a contract that is written, too.
ITEMS = """
CREATE TRIGGER tell_market_write AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON contract_items
FOR EACH STATEMENT EXECUTE FUNCTION tell_market('contracts', 'always')
"""
# Who waits for a name shows nowhere.
NAMES = """
CREATE TRIGGER tell_market_{event} AFTER {event} ON names FOR EACH ROW WHEN ({shows})
EXECUTE FUNCTION tell_market('names', 'always')
"""
NAME_SHOWS = {
    "insert": "NEW.name IS NOT NULL",
    "update": "(OLD.name, OLD.category) IS DISTINCT FROM (NEW.name, NEW.category)",
    "delete": "OLD.name IS NOT NULL",
}


def upgrade() -> None:
    op.execute(TELL)
    op.execute(TELL_OF_CONTRACTS)
    for table, subject in SUBJECTS.items():
        for event, rows in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD")):
            if (table, event) != ("contracts", "update"):
                op.execute(EACH.format(table=table, subject=subject, event=event, rows=rows))
    for table, subject in {**SUBJECTS, "names": "names"}.items():
        op.execute(TRUNCATED.format(table=table, subject=subject))
    op.execute(CONTRACTS)
    op.execute(ITEMS)
    for event, shows in NAME_SHOWS.items():
        op.execute(NAMES.format(event=event, shows=shows))
    op.create_index(
        "ix_contracts_expiring",
        "contracts",
        ["date_expired"],
        unique=False,
        postgresql_where=text("delisted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_contracts_expiring", table_name="contracts")
    op.execute("DROP FUNCTION tell_market_of_contracts() CASCADE")
    op.execute("DROP FUNCTION tell_market() CASCADE")
