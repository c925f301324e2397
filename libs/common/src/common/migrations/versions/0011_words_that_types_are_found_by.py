"""Words that types are found by"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

WORDS = """
to_tsvector('simple'::regconfig,
  regexp_replace(regexp_replace(name, '(\\w)[''](\\w)'::text, '\\1\\2'::text, 'g'::text),
                 '[^[:alnum:]]+'::text, ' '::text, 'g'::text))
"""


def upgrade() -> None:
    op.add_column(
        "types",
        sa.Column("words", postgresql.TSVECTOR(), sa.Computed(WORDS, persisted=True), comment="Of its name"),
    )
    op.create_index("ix_types_words", "types", ["words"], unique=False, postgresql_using="gin")


def downgrade() -> None:
    op.drop_index("ix_types_words", table_name="types")
    op.drop_column("types", "words")
