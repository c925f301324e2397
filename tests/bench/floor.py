"""The least that the work can cost in Python on this machine: the same requests and the same rows, and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import aiohttp
import asyncpg

from bench.world import IN_FLIGHT
from ingestor.esi.client import COMPATIBILITY_DATE

HEADERS = {
    "User-Agent": "freeport-bench/1.0 (bench@example.com)",
    "X-Compatibility-Date": COMPATIBILITY_DATE,
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
}
CHUNK = 5_000
TABLES = ("contracts", "contract_items")
WRITABLE = """
SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND is_generated = 'NEVER'
 ORDER BY ordinal_position
"""


async def fetch_all(url: str, paths: Iterable[str]) -> float:
    """Seconds to ask for all `paths`, as many at once as the ingestor does, and to throw the unpacked bodies away."""
    waiting = iter(paths)
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

        async def ask_in_turn() -> None:
            for path in waiting:
                async with session.get(url + path) as answer:
                    await answer.read()

        started = time.monotonic()
        await asyncio.gather(*(ask_in_turn() for _ in range(IN_FLIGHT)))
        return time.monotonic() - started


async def copy_all(source_url: str, target_url: str, contract_ids: Sequence[int]) -> float:
    """Seconds to COPY these contracts and their items into the tables of another database, with their indexes.

    One transaction; the rows are read beforehand, a chunk at a time, so only their writing is measured.
    """
    source, target = await asyncpg.connect(source_url), await asyncpg.connect(target_url)
    try:
        seconds = 0.0
        transaction = target.transaction()
        await transaction.start()
        for table in TABLES:
            async for columns, records in _chunks(source, table, contract_ids):
                started = time.monotonic()
                await target.copy_records_to_table(table, records=records, columns=columns)
                seconds += time.monotonic() - started
        started = time.monotonic()
        await transaction.commit()
        return seconds + time.monotonic() - started
    finally:
        await source.close()
        await target.close()


async def _chunks(
    source: Any, table: str, contract_ids: Sequence[int]
) -> AsyncIterator[tuple[list[str], list[tuple[object, ...]]]]:
    """Columns and rows, without the columns that the database works out by itself."""
    columns = [row["column_name"] for row in await source.fetch(WRITABLE, table)]
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE contract_id = ANY($1::bigint[]) ORDER BY contract_id"  # noqa: S608 - our own names
    async with source.transaction():
        cursor = await source.cursor(query, contract_ids)
        while rows := await cursor.fetch(CHUNK):
            yield columns, [tuple(row) for row in rows]
