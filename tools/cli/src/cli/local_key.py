"""The API key of the local stack: made at its first start, kept in its directory for its owner's eyes alone."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from cli.stack import Stack
from common.database import create_engine, is_transient
from common.keys import store
from common.keys.tokens import Scope, Token
from common.settings import DatabaseSettings

NAME = "api-key"
_ASK_AGAIN_SECONDS = 1.0


def kept_key(home: Path) -> Token | None:
    """The key that is kept there, None if none is."""
    with suppress(FileNotFoundError):
        return Token.parse((home / NAME).read_text(encoding="ascii", errors="replace").strip())
    return None


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
        _keep(home / NAME, token)
        await store.admit(connection, token, set(Scope), note="local stack")
    return token


def _keep(path: Path, token: Token) -> None:
    """Write the key whole or not at all, and never where others may read it, not even for a moment."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(f"{token.reveal()}\n")
    fresh.replace(path)
