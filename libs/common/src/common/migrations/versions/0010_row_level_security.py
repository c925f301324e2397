"""Each service writes its own rows of what all of them write"""

from collections.abc import Sequence

from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Whose a row is, by the name of the role (common.rights: role). The tables' owner is not held to policies, so one user
# for everything works as well. A relay's dead letters are its service's: their consumer is 'relay.' and the service.
OWNERS = {
    "outbox": "service",
    "inbox": "consumer",
    "dead_letters": "split_part(consumer, '.', -1)",
    "heartbeats": "service",
}


def upgrade() -> None:
    for table, owner in OWNERS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY all_rows_are_read ON {table} FOR SELECT USING (true)")
        op.execute(f"CREATE POLICY own_rows_are_written ON {table} USING ('freeport_' || {owner} = current_user)")


def downgrade() -> None:
    for table in OWNERS:
        op.execute(f"DROP POLICY own_rows_are_written ON {table}")
        op.execute(f"DROP POLICY all_rows_are_read ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
