"""Words that are found are told: when older contracts get theirs, searches find more"""

from collections.abc import Sequence

from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TRIGGER = """
CREATE TRIGGER tell_market_{event} AFTER {event} ON {table} REFERENCING {rows} TABLE AS touched
FOR EACH STATEMENT EXECUTE FUNCTION tell_market('contracts')
"""
TRUNCATED = """
CREATE TRIGGER tell_market_truncate AFTER TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION tell_market('contracts')
"""
TABLES = ("contract_words", "words")


def upgrade() -> None:
    for table in TABLES:
        for event, rows in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD")):
            op.execute(TRIGGER.format(table=table, event=event, rows=rows))
        op.execute(TRUNCATED.format(table=table))


def downgrade() -> None:
    for table in TABLES:
        for event in ("insert", "update", "delete", "truncate"):
            op.execute(f"DROP TRIGGER tell_market_{event} ON {table}")
