"""Alembic's entry: runs over the connection that `common.provision` (or a test) hands in."""

from alembic import context

from common.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, compare_server_default=False)
with context.begin_transaction():
    context.run_migrations()
