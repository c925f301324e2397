"""Words that contracts are found by; the ingestor fills them in for what is stored when it starts"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "contract_words",
        sa.Column("contract_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False, comment="As common/words.py says"),
        sa.PrimaryKeyConstraint("contract_id", name=op.f("pk_contract_words")),
        comment="What a contract is found by",
    )
    op.create_index(
        "ix_contract_words_words",
        "contract_words",
        ["words"],
        unique=False,
        postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 1024},
    )
    op.create_table(
        "words",
        sa.Column("word", sa.Text(collation="C"), nullable=False),
        sa.Column(
            "is_named",
            sa.Boolean(),
            nullable=False,
            comment="It is in a name of New Eden, not only in what people write",
        ),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_words")),
        comment="Every word that contracts are found by",
    )


def downgrade() -> None:
    op.drop_table("words")
    op.drop_table("contract_words")
