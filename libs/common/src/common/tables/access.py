"""API keys (written by operators, with `freeport keys`) and their use (written by the api)."""

from sqlalchemy import CheckConstraint, Column, LargeBinary, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from common.keys.tokens import Scope
from common.tables.base import instant, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of the secret, which is stored nowhere"),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("note", Text),
    instant("created_at", default_now=True),
    instant("expires_at", nullable=True),
    instant("revoked_at", nullable=True),
    CheckConstraint("octet_length(digest) = 32", name="digest"),
    CheckConstraint(
        f"cardinality(scopes) > 0 AND scopes <@ ARRAY[{', '.join(repr(scope.value) for scope in Scope)}]::text[]",
        name="scopes",
    ),
    comment="Who may do more than read (written by operators)",
)

api_key_uses = Table(
    "api_key_uses",
    metadata,
    Column("key_id", Text, primary_key=True),
    instant("last_used_at"),
    comment="When a key was last of use, give or take ten minutes (written by the api)",
)
