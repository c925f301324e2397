"""What contracts are found by says on which day they were issued, so that words are looked for day by day"""

from collections.abc import Sequence

from alembic import op

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# As `common.words.issued_on` numbers days. One statement, for a list read day by day lacks what has none: about a minute
# for a million contracts.
ISSUED = """
UPDATE contract_words w
   SET words = w.words || array_to_tsvector(
         ARRAY['@' || ((c.date_issued AT TIME ZONE 'UTC')::date - date '0001-01-01' + 1)])
  FROM contracts c WHERE c.contract_id = w.contract_id
"""
NO_DAYS = """
UPDATE contract_words w
   SET words = ts_delete(w.words, ARRAY(SELECT lexeme FROM unnest(w.words) WHERE lexeme LIKE '@%'))
"""


def upgrade() -> None:
    op.execute(ISSUED)


def downgrade() -> None:
    op.execute(NO_DAYS)
