"""Contracts whose words are worked out anew: stored by an older release, retitled, or at a place that is new to us."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.database import asyncpg_connection
from common.words import words_of
from ingestor.domain import lexemes
from ingestor.domain.summary import names_of
from ingestor.stores import replaying, words
from ingestor.stores.items import facts_of

CONTRACTS_PER_CHUNK = 1_000
NAMES_PER_CHUNK = 5_000

LISTED = """
/* indexing.listed */
SELECT contract_id, title, region_id, issuer_id, issuer_corporation_id, start_location_id,
       CASE WHEN type = 'courier' THEN end_location_id END AS destination
  FROM contracts WHERE contract_id = ANY($1::bigint[]) ORDER BY contract_id
"""

MISSING = """
/* indexing.missing */
SELECT contract_id FROM contracts c
 WHERE contract_id > $1 AND NOT EXISTS (SELECT FROM contract_words w WHERE w.contract_id = c.contract_id)
 ORDER BY contract_id LIMIT $2
"""

NAMELESS = """
/* indexing.nameless: names that nobody finds yet */
SELECT entity_id, name FROM names WHERE name IS NOT NULL AND words IS NULL ORDER BY entity_id LIMIT $1
"""

NAME = """
/* indexing.name */
UPDATE names n SET words = array_to_tsvector(string_to_array(w.words, ' '))
  FROM unnest($1::bigint[], $2::text[]) AS w (id, words)
 WHERE n.entity_id = w.id AND n.name IS NOT NULL
"""

KNOWS_NEW_EDEN = "/* indexing.knows_new_eden */ SELECT EXISTS (SELECT FROM words WHERE is_named)"


async def index(connection: AsyncConnection, contract_ids: Sequence[int]) -> None:
    """Let contracts be found by what is stored of them, and by nothing else."""
    for start in range(0, len(contract_ids), CONTRACTS_PER_CHUNK):
        await _index(connection, contract_ids[start : start + CONTRACTS_PER_CHUNK])


async def index_missing(connection: AsyncConnection, after: int = 0) -> int | None:
    """Index the next contracts behind `after` that nobody finds yet; the last of them, or None if there are none."""
    raw = await asyncpg_connection(connection)
    missing = [contract_id for (contract_id,) in await raw.fetch(MISSING, after, CONTRACTS_PER_CHUNK)]
    await index(connection, missing)
    return missing[-1] if missing else None


async def catch_up(engine: AsyncEngine) -> int:
    """Index what an older release has stored, in transactions of a second at most; says how many contracts."""
    async with engine.begin() as connection:
        raw = await asyncpg_connection(connection)
        if not await raw.fetchval(KNOWS_NEW_EDEN):
            await words.meet_new_eden(raw)
    while await _name(engine):
        pass
    last, indexed = 0, 0
    while True:
        async with engine.begin() as connection:
            found = await index_missing(connection, last)
        if found is None:
            return indexed
        last, indexed = found, indexed + CONTRACTS_PER_CHUNK


async def _index(connection: AsyncConnection, contract_ids: Sequence[int]) -> None:
    raw = await asyncpg_connection(connection)
    listed = await raw.fetch(LISTED, contract_ids)
    held = await replaying.held(connection, [row["contract_id"] for row in listed])
    facts = await facts_of(connection, {item.type_id for entry in held for item in entry.items})
    names = {
        entry.contract_id: names_of(entry.items, facts)
        for entry in held
        if all(item.type_id in facts for item in entry.items)
    }
    places = words.Places()
    found: dict[int, set[str]] = {}
    for row in listed:
        ends = [row[end] for end in ("start_location_id", "destination") if row[end] is not None]
        known = await places.names(raw, row["region_id"], ends)
        listing = lexemes.of_listing(
            row["title"],
            [known[place] for place in (*ends, row["region_id"]) if place in known],
            (row["issuer_id"], row["issuer_corporation_id"]),
        )
        found[row["contract_id"]] = listing | lexemes.of_items(names.get(row["contract_id"], ()))
    await words.replace(raw, found)
    await words.meet_titles(raw, (row["title"] for row in listed))


async def _name(engine: AsyncEngine) -> bool:
    async with engine.begin() as connection:
        raw: Any = await asyncpg_connection(connection)
        rows = await raw.fetch(NAMELESS, NAMES_PER_CHUNK)
        await raw.execute(NAME, [entity_id for entity_id, _ in rows], [" ".join(words_of(name)) for _, name in rows])
    return bool(rows)
