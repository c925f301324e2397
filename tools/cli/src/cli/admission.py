"""Admits the local stack's key to its database. Whoever only reads the key is spared SQLAlchemy."""

import asyncio
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.local_key import keep, kept_key
from cli.stack import Stack
from common.database import create_engine, is_transient
from common.keys import store
from common.keys.tokens import Scope, Token
from common.settings import DatabaseSettings

_ASK_AGAIN_SECONDS = 1.0


async def local_key(stack: Stack) -> Token:
    """The key of the stack, which runs: the one that is kept, or a new one if that was revoked.

    The same one opens the real market's API and the simulated one's, which have a database each. Waits while the
    database is away.
    """
    home = stack.settings.home
    engine = create_engine(DatabaseSettings(database_url=SecretStr(stack.database_url)), service="keys")
    try:
        while True:
            try:
                return await _valid_key(home, engine)
            except Exception as error:
                if not is_transient(error):
                    raise
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
    finally:
        await engine.dispose()


async def _valid_key(home: Path, engine: AsyncEngine) -> Token:
    kept = kept_key(home)
    async with engine.begin() as connection:
        is_valid = None if kept is None else await store.is_valid(connection, kept)
        if kept is not None and is_valid:
            return kept
        token = kept if kept is not None and is_valid is None else Token.new()
        keep(home, token)
        await store.admit(connection, token, set(Scope), note="local stack")
    return token
