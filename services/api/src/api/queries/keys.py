"""What is known of a key, and that it was of use."""

from typing import Any

# Validity is judged by the database's clock, as expiry was.
VALID = """
/* keys.valid */
SELECT k.digest, k.scopes, coalesce(u.last_used_at < now() - interval '10 minutes', true) AS unnoted
  FROM api_keys k LEFT JOIN api_key_uses u USING (key_id)
 WHERE k.key_id = $1 AND k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true)
"""
USED = """
/* keys.used */
INSERT INTO api_key_uses (key_id, last_used_at) VALUES ($1, now())
ON CONFLICT (key_id) DO UPDATE SET last_used_at = greatest(api_key_uses.last_used_at, EXCLUDED.last_used_at)
"""


async def valid(connection: Any, key_id: str) -> Any | None:
    """The row of a key that is neither revoked nor expired: `digest`, `scopes`, and whether its use is `unnoted`."""
    return await connection.fetchrow(VALID, key_id)


async def note_use(connection: Any, key_id: str) -> None:
    """Note that the key was of use just now."""
    await connection.execute(USED, key_id)
