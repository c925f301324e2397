"""`freeport keys`, and `python -m common.keys` where only the services are installed."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.database import create_engine, is_transient
from common.keys import store
from common.keys.tokens import Scope
from common.settings import DatabaseSettings

_HEAD = ("id", "scopes", "made", "last of use", "expires", "revoked", "note")


async def run(asked: argparse.Namespace, settings: DatabaseSettings) -> int:
    """Do what the arguments ask. Returns the exit status; what went wrong is a line on standard error."""
    engine = create_engine(settings, service="keys")
    try:
        return await _run(asked, engine)
    except (DBAPIError, OSError, TimeoutError) as error:
        print(f"the database {_fault(error)}", file=sys.stderr)
        return 1
    finally:
        await engine.dispose()


def _fault(error: Exception) -> str:
    if is_transient(error):
        return "cannot be reached"
    cause = getattr(getattr(error, "orig", None), "__cause__", None) or error
    if isinstance(cause, asyncpg.UndefinedTableError):
        return "has not been prepared: run `freeport provision` or `python -m common.provision` first"
    return f"refuses: {str(cause).splitlines()[0]}"


async def _run(asked: argparse.Namespace, engine: AsyncEngine) -> int:
    async with engine.begin() as connection:
        match asked.action:
            case "create":
                return await _create(asked, connection)
            case "revoke":
                return await _revoke(asked.key_id, connection)
            case _:
                return await _list(connection)


async def _create(asked: argparse.Namespace, connection: AsyncConnection) -> int:
    scopes = {Scope(scope) for scope in asked.scopes}
    token = await store.create(connection, scopes, note=asked.note, life=asked.life)
    await connection.commit()
    print(f"key {token.key_id}; its token is shown this once:", file=sys.stderr)
    print(token.reveal())
    return 0


async def _revoke(key_id: str, connection: AsyncConnection) -> int:
    if await store.revoke(connection, key_id):
        print("revoked")
        return 0
    print("there is no such key, or it was revoked before", file=sys.stderr)  # without it: it may be a whole token
    return 1


async def _list(connection: AsyncConnection) -> int:
    rows = [_HEAD, *(_row(key) for key in await store.every_key(connection))]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _row(key: Any) -> Sequence[str]:
    instants = (key.created_at, key.last_used_at, key.expires_at, key.revoked_at)
    return (key.key_id, ",".join(key.scopes), *(_shown(instant) for instant in instants), key.note or "")


def _shown(instant: datetime | None) -> str:
    return "-" if instant is None else f"{instant:%Y-%m-%d %H:%M}"
