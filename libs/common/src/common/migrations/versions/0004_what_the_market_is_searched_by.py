"""What the market is searched by: places, facets, routes, and what happened to a contract"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

SECURITY = """
CASE
  WHEN system_id >= 31000000 AND system_id < 32000000 THEN 'wormhole'::text
  WHEN security_status >= 0.45::double precision THEN 'high'::text
  WHEN security_status > 0::double precision THEN 'low'::text
  ELSE 'null'::text
END
"""
REWARD_PER_M3 = """
CASE
  WHEN type = 'courier'::text AND volume > 0::double precision THEN reward::double precision / volume
  ELSE NULL::double precision
END
"""
PLACES = """
UPDATE contracts c
   SET system_id = start.system_id, security = start.security, end_system_id = finish.system_id
  FROM contracts k
       LEFT JOIN stations a ON a.station_id = k.start_location_id LEFT JOIN systems start ON start.system_id = a.system_id
       LEFT JOIN stations b ON b.station_id = k.end_location_id LEFT JOIN systems finish ON finish.system_id = b.system_id
 WHERE c.contract_id = k.contract_id
"""
FACETS = """
UPDATE contracts c SET facets = f.facets
  FROM (SELECT contract_id, array_agg(DISTINCT facet ORDER BY facet)::int[] AS facets
          FROM contract_items i LEFT JOIN types t USING (type_id) LEFT JOIN groups g USING (group_id),
               unnest(ARRAY[i.type_id, t.group_id + 1000000000, g.category_id + 2000000000]) AS facet
         WHERE i.is_included AND facet IS NOT NULL GROUP BY contract_id) f
 WHERE c.contract_id = f.contract_id
"""


def upgrade() -> None:
    op.add_column(
        "systems",
        sa.Column("security", sa.Text(), sa.Computed(SECURITY, persisted=True), comment="high, low, null or wormhole"),
    )
    op.create_table(
        "stargates",
        sa.Column("from_system_id", sa.BigInteger(), nullable=False),
        sa.Column("to_system_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("from_system_id", "to_system_id", name=op.f("pk_stargates")),
        comment="One jump, in this direction",
    )
    op.create_table(
        "contract_changes",
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column(
            "details", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="What the event of it says"
        ),
        sa.CheckConstraint(
            "change IN ('changed', 'relisted', 'delisted', 'outcome')", name=op.f("ck_contract_changes_change")
        ),
        sa.PrimaryKeyConstraint("contract_id", "changed_at", "change", name=op.f("pk_contract_changes")),
        comment="What happened to a contract after it was first seen, but for its bids",
    )
    for column in (
        sa.Column("system_id", sa.BigInteger(), nullable=True, comment="Of its start"),
        sa.Column("security", sa.Text(), nullable=True, comment="Of its start: high, low, null or wormhole"),
        sa.Column("end_system_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "jumps",
            sa.SmallInteger(),
            nullable=True,
            comment="Of a courier contract: by the shortest way; null if an end is unknown",
        ),
        sa.Column(
            "jumps_high_security",
            sa.SmallInteger(),
            nullable=True,
            comment="Likewise, through high security only; null if there is no way",
        ),
        sa.Column(
            "facets",
            postgresql.ARRAY(sa.Integer()),
            nullable=True,
            comment="Types, groups and categories that it offers, each once",
        ),
        sa.Column("reward_per_m3", sa.Double(), sa.Computed(REWARD_PER_M3, persisted=True), comment="ISK"),
    ):
        op.add_column("contracts", column)
    op.create_check_constraint(
        op.f("ck_contracts_security"), "contracts", "security IN ('high', 'low', 'null', 'wormhole')"
    )
    op.execute(PLACES)
    op.execute(FACETS)
    op.create_index(
        "ix_contracts_facets",
        "contracts",
        ["facets"],
        unique=False,
        postgresql_using="gin",
        postgresql_where=sa.text("delisted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_contracts_facets", table_name="contracts")
    op.drop_constraint(op.f("ck_contracts_security"), "contracts", type_="check")
    for name in ("reward_per_m3", "facets", "jumps_high_security", "jumps", "end_system_id", "security", "system_id"):
        op.drop_column("contracts", name)
    op.drop_table("contract_changes")
    op.drop_table("stargates")
    op.drop_column("systems", "security")
