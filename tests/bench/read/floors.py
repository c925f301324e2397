"""The least that an answer can cost: a constant body from the same server, and one bare statement of the database."""

import asyncio
import time
from random import Random
from typing import Any, Final

import asyncpg
import uvloop

from bench.read.load import Taken

BARE: Final = """
SELECT contract_id, type, region_id, issuer_id, price, title, label, date_issued, date_expired FROM contracts
 WHERE delisted_at IS NULL AND date_expired > now() AND (date_issued, contract_id) < ($1, $2)
 ORDER BY date_issued DESC, contract_id DESC LIMIT 50
"""
"""A page from anywhere, by the index of the list's own order."""
POSITIONS: Final = """
SELECT date_issued, contract_id FROM contracts WHERE delisted_at IS NULL ORDER BY hashint8(contract_id) LIMIT 5000
"""
SESSIONS: Final = 10
"""As the api's pool has by default."""


def bare_statement(url: str, *, clients: int, seconds: float) -> dict[str, Any]:
    """The statement, prepared, asked by so many at once over as many sessions as the api has."""
    return uvloop.run(_bare_statement(url, clients, seconds))


async def _bare_statement(url: str, clients: int, seconds: float) -> dict[str, Any]:
    taken = Taken()
    async with asyncpg.create_pool(url, min_size=SESSIONS, max_size=SESSIONS) as pool:
        positions = await pool.fetch(POSITIONS)
        dice = Random(1)  # noqa: S311 - no secret
        deadline = 0.0

        async def ask_in_turn() -> None:
            while time.monotonic() < deadline:
                asked = time.perf_counter_ns()
                async with pool.acquire() as session:
                    await session.fetch(BARE, *dice.choice(positions))
                taken.note(asked, time.perf_counter_ns(), 200, 0)

        for lasts in (0.3, seconds):
            taken.nanoseconds.clear()
            deadline, taken.began = time.monotonic() + lasts, time.perf_counter_ns()
            await asyncio.gather(*(ask_in_turn() for _ in range(clients)))
        taken.ended = time.perf_counter_ns()
    found = taken.as_json()
    return {name: found[name] for name in ("p50_ms", "p99_ms", "requests_per_second")}
