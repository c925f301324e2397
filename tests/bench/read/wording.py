"""The words that copies are found by: worked out for each thing that contracts tell, and joined for each contract.

The ingestor does it contract by contract; for a million of them that would take longer than all the rest.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import asyncpg_connection
from common.words import ISSUED
from ingestor.domain import lexemes
from ingestor.domain.summary import names_of
from ingestor.stores import indexing, words
from ingestor.stores.items import facts_of

CREATE: Final = """
CREATE TABLE seed.words_of_items (contract_id bigint PRIMARY KEY, words text[]);
CREATE TABLE seed.words_of_titles (title text PRIMARY KEY, words text[]);
CREATE TABLE seed.words_of_places (region_id bigint, start bigint, destination bigint, words text[]);
CREATE TABLE seed.words_of_names (entity_id bigint PRIMARY KEY, words text[]);
"""
ENDS: Final = "start_location_id AS start, CASE WHEN type = 'courier' THEN end_location_id END AS destination"
TITLES: Final = "SELECT DISTINCT title FROM contracts WHERE title <> ''"
PLACES: Final = f"SELECT DISTINCT region_id, {ENDS} FROM contracts"  # noqa: S608 - our own names
NAMES: Final = "SELECT entity_id, name FROM names WHERE name IS NOT NULL"
JOIN: Final = f"""
INSERT INTO contract_words (contract_id, words)
SELECT c.contract_id, array_to_tsvector(
         coalesce(i.words, '{{}}') || coalesce(t.words, '{{}}') || p.words
         || coalesce(h.words, '{{}}') || coalesce(k.words, '{{}}')
         || ARRAY['{ISSUED}' || ((c.date_issued AT TIME ZONE 'UTC')::date - date '0001-01-01' + 1)])
  FROM (SELECT *, {ENDS} FROM contracts) c JOIN seed.copies m USING (contract_id)
       LEFT JOIN seed.words_of_items i ON i.contract_id = m.seed_id
       LEFT JOIN seed.words_of_titles t ON t.title = c.title
       JOIN seed.words_of_places p ON p.region_id = c.region_id AND p.start = c.start
                                  AND p.destination IS NOT DISTINCT FROM c.destination
       LEFT JOIN seed.words_of_names h ON h.entity_id = c.issuer_id
       LEFT JOIN seed.words_of_names k ON k.entity_id = c.issuer_corporation_id
 ORDER BY c.contract_id
"""  # noqa: S608 - our own names


async def find_by_words(engine: AsyncEngine) -> None:
    """Let all copies be found as the ingestor would."""
    async with engine.begin() as connection:
        raw = await asyncpg_connection(connection)
        await raw.execute(CREATE)
        originals = [row["contract_id"] for row in await raw.fetch("SELECT contract_id FROM seed.contracts")]
        # The seed's own items were moved away; here they are once more, as what the ingestor reads.
        await raw.execute("CREATE TEMPORARY TABLE contract_items AS TABLE seed.contract_items")
        held = dict(await raw.fetch(indexing.HELD, originals))
        await raw.execute("DROP TABLE pg_temp.contract_items")
        facts = await facts_of(connection, {type_id for type_ids in held.values() for type_id in type_ids})
        of_items = [(number, lexemes.of_items(names_of(type_ids, facts))) for number, type_ids in held.items()]
        await _keep(raw, "words_of_items", of_items)
        titles = [row["title"] for row in await raw.fetch(TITLES)]
        await _keep(raw, "words_of_titles", ((title, lexemes.of_listing(title, ())) for title in titles))
        names = await raw.fetch(NAMES)
        await _keep(raw, "words_of_names", ((entity_id, lexemes.of_names([name])) for entity_id, name in names))
        await words.meet(raw, [*titles, *(name for _, name in names)])
        await _keep(raw, "words_of_places", [await _of_place(raw, *row) for row in await raw.fetch(PLACES)])
        await raw.execute(JOIN)
    await indexing.catch_up(engine)


async def _of_place(raw: Any, region_id: int, start: int, destination: int | None) -> tuple[Any, ...]:
    ends = [start] if destination is None else [start, destination]
    known = await words.Places().names(raw, [*ends, region_id])
    names = [known[place] for place in (*ends, region_id) if place in known]
    return region_id, start, destination, lexemes.of_listing(None, names)


async def _keep(raw: Any, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows that end with a text of lexemes."""
    records = [(*row[:-1], row[-1].split()) for row in rows]
    await raw.copy_records_to_table(table, schema_name="seed", records=records)
