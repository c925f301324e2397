"""The keys that were shown lately, so that one in use does not cost a query each time."""

import asyncio
import time
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from api.queries import keys
from common.keys.tokens import Scope, Token

LIFE_SECONDS = 5.0
"""How long a key is taken for valid without another look: so soon a revocation takes effect."""
MOST_KEYS = 1_000
"""Keys that are remembered; only valid ones are, so strangers cannot fill this."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever showed a valid key."""

    key_id: str
    scopes: frozenset[Scope]


@dataclass(slots=True)
class _Known:
    holder: Holder
    digest: bytes = field(repr=False)
    looked_at: float
    unnoted: bool


class Keyring:
    """Tells whose a token is, by at most one query every `LIFE_SECONDS` for each key that is valid."""

    def __init__(self, engine: AsyncEngine, *, patience_seconds: float) -> None:
        self._engine = engine
        self._patience_seconds = patience_seconds
        self._known: dict[str, _Known] = {}

    async def holder(self, token: Token) -> Holder | None:
        """Who shows `token`; None if it is wrong, expired or revoked. Raises what the database raises."""
        known = self._known.get(token.key_id)
        if known is None or time.monotonic() - known.looked_at > LIFE_SECONDS:
            known = await self._look_up(token.key_id)
        if known is None or not token.matches(known.digest):
            return None
        if known.unnoted:
            await self._note_use(known)
        return known.holder

    def last_known(self, token: Token) -> Holder | None:
        """Who showed `token` when the database could last be asked, for what is told also while it is away."""
        known = self._known.get(token.key_id)
        return known.holder if known is not None and token.matches(known.digest) else None

    async def _look_up(self, key_id: str) -> _Known | None:
        looked_at = time.monotonic()
        async with asyncio.timeout(self._patience_seconds), self._engine.connect() as connection:
            row = await keys.valid((await connection.get_raw_connection()).driver_connection, key_id)
        self._known.pop(key_id, None)
        if row is None:
            return None
        holder = Holder(key_id, frozenset(Scope(scope) for scope in row["scopes"]))
        known = self._known[key_id] = _Known(holder, row["digest"], looked_at, row["unnoted"])
        if len(self._known) > MOST_KEYS:
            del self._known[next(iter(self._known))]  # the one that was looked at longest ago
        return known

    async def _note_use(self, known: _Known) -> None:
        async with asyncio.timeout(self._patience_seconds), self._engine.connect() as connection:
            await keys.note_use((await connection.get_raw_connection()).driver_connection, known.holder.key_id)
        known.unnoted = False
