"""Cursors to anywhere in the unfiltered list, as if somebody had read all pages before."""

import asyncpg

from api.cursors import Position, cursor_after
from api.schemas.contracts import ContractQuery
from bench.read.floors import POSITIONS


async def anywhere(url: str) -> list[str]:
    """Cursors of positions all over the list."""
    connection = await asyncpg.connect(url)
    try:
        positions = await connection.fetch(POSITIONS)
    finally:
        await connection.close()
    query = ContractQuery()
    return [cursor_after(Position(row["date_issued"], row["contract_id"]), query) for row in positions]
