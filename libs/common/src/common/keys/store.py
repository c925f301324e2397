"""The keys that there are, for operators. A revoked key stays, so that its id is never somebody else's."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from common.keys.tokens import Scope, Token
from common.tables import api_key_uses, api_keys


async def create(
    connection: AsyncConnection, scopes: Collection[Scope], *, note: str | None = None, life: timedelta | None = None
) -> Token:
    """Make a key and return its token, which cannot be had a second time."""
    token = Token.new()
    await admit(connection, token, scopes, note=note, life=life)
    return token


async def admit(
    connection: AsyncConnection,
    token: Token,
    scopes: Collection[Scope],
    *,
    note: str | None = None,
    life: timedelta | None = None,
) -> None:
    """Make the key of this token, whose id no key has yet."""
    await connection.execute(
        insert(api_keys).values(
            key_id=token.key_id,
            digest=token.digest,
            scopes=sorted(scope.value for scope in scopes),
            note=note,
            expires_at=None if life is None else func.clock_timestamp() + life,
        )
    )


async def is_valid(connection: AsyncConnection, token: Token) -> bool | None:
    """Whether `token` is a key's that is neither revoked nor expired; None if there is no key of this id."""
    ended = func.coalesce(func.least(api_keys.c.revoked_at, api_keys.c.expires_at) <= func.clock_timestamp(), False)
    query = select(api_keys.c.digest, ended.label("ended")).where(api_keys.c.key_id == token.key_id)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else token.matches(row.digest) and not row.ended


async def every_key(connection: AsyncConnection) -> Sequence[Any]:
    """All keys that ever were, the oldest first: `key_id`, `scopes`, `note` and four instants. No digests."""
    columns = [column for column in api_keys.c if column.name != "digest"]
    query = (
        select(*columns, api_key_uses.c.last_used_at)
        .outerjoin(api_key_uses, api_key_uses.c.key_id == api_keys.c.key_id)
        .order_by(api_keys.c.created_at, api_keys.c.key_id)
    )
    return (await connection.execute(query)).all()


async def revoke(connection: AsyncConnection, key_id: str) -> bool:
    """End a key's validity, for good; whether there was such a key that had not been revoked."""
    statement = update(api_keys).where(api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None))
    return bool((await connection.execute(statement.values(revoked_at=func.clock_timestamp()))).rowcount)
