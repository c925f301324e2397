"""What contracts offer at the most, and who offers what was rolled; how places and kinds of contracts go together"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LISTED = "delisted_at IS NULL"
MOST = ["most_runs", "most_material_efficiency", "most_time_efficiency"]
COPIES, ROLLED = "ix_contracts_live_copies", "ix_contracts_live_rolled"
LIKEWISE = "Likewise"
COLUMNS = (
    ("offers_copy", sa.Boolean(), "A blueprint's copy; null where an older release read it, and of no copy"),
    ("offers_rolled", sa.Boolean(), "Something that a mutaplasmid made; null likewise"),
    ("most_runs", sa.Integer(), "The most of any it offers; null if none has any"),
    ("most_material_efficiency", sa.SmallInteger(), LIKEWISE),
    ("most_time_efficiency", sa.SmallInteger(), LIKEWISE),
)
OFFERED_BY = """
UPDATE dynamic_items d SET contract_ids = o.contract_ids
  FROM (SELECT item_id, array_agg(DISTINCT contract_id) AS contract_ids
          FROM contract_items WHERE is_included AND item_id IN (SELECT item_id FROM dynamic_items) GROUP BY item_id) o
 WHERE d.item_id = o.item_id
"""
# Of most contracts nothing is to be said, and their rows are not written.
OFFERED = """
UPDATE contracts c
   SET offers_copy = o.offers_copy, offers_rolled = o.offers_rolled, most_runs = o.most_runs,
       most_material_efficiency = o.most_me, most_time_efficiency = o.most_te
  FROM (SELECT i.contract_id, bool_or(i.is_blueprint_copy IS TRUE OR (i.runs >= 0) IS TRUE) AS offers_copy,
               bool_or(d.item_id IS NOT NULL) AS offers_rolled, max(i.runs) AS most_runs,
               max(i.material_efficiency) AS most_me, max(i.time_efficiency) AS most_te
          FROM contract_items i LEFT JOIN dynamic_items d USING (item_id)
         WHERE i.is_included
           AND (d.item_id IS NOT NULL OR i.is_blueprint_copy IS TRUE OR i.runs IS NOT NULL
                OR i.material_efficiency IS NOT NULL OR i.time_efficiency IS NOT NULL)
         GROUP BY i.contract_id) o
 WHERE c.contract_id = o.contract_id
"""
# A system is in one region, and what is low security is not high: who asks for both is asked by the planner's numbers.
GO_TOGETHER = """
CREATE STATISTICS contracts_go_together (mcv)
    ON region_id, system_id, start_location_id, security, type, composition FROM contracts
"""


def upgrade() -> None:
    for name, kind, comment in COLUMNS:
        op.add_column("contracts", sa.Column(name, kind, comment=comment))
    op.add_column(
        "dynamic_items",
        sa.Column(
            "contract_ids",
            sa.ARRAY(sa.BigInteger()),
            nullable=False,
            server_default=sa.text("'{}'"),
            comment="That have ever offered it; those that are no longer stored included",
        ),
    )
    op.execute(OFFERED_BY)
    op.execute(OFFERED)
    for name, column, included in ((COPIES, "offers_copy", MOST), (ROLLED, "offers_rolled", [])):
        op.create_index(
            name,
            "contracts",
            ["date_issued", "contract_id"],
            unique=False,
            postgresql_include=[*included, "price", "type", "date_expired"],
            postgresql_where=sa.text(f"{LISTED} AND {column}"),
        )
    op.execute(GO_TOGETHER)
    op.execute("ALTER STATISTICS contracts_go_together SET STATISTICS 500")


def downgrade() -> None:
    op.execute("DROP STATISTICS contracts_go_together")
    for name in (COPIES, ROLLED):
        op.drop_index(name, table_name="contracts")
    op.drop_column("dynamic_items", "contract_ids")
    for name, *_ in COLUMNS:
        op.drop_column("contracts", name)
