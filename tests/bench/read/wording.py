"""The words that copies are found by: worked out for each thing that contracts tell, and joined for each contract.

The ingestor does it contract by contract; for a million of them that would take longer than all the rest.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncEngine

from common.database import asyncpg_connection
from common.words import ISSUER
from ingestor.domain import lexemes
from ingestor.domain.summary import names_of
from ingestor.stores import indexing, replaying, words
from ingestor.stores.items import facts_of

CREATE: Final = """
CREATE TABLE seed.words_of_items (contract_id bigint PRIMARY KEY, words text[]);
CREATE TABLE seed.words_of_titles (title text PRIMARY KEY, words text[]);
CREATE TABLE seed.words_of_places (region_id bigint, start bigint, destination bigint, words text[]);
"""
ENDS: Final = "start_location_id AS start, CASE WHEN type = 'courier' THEN end_location_id END AS destination"
TITLES: Final = "SELECT DISTINCT title FROM contracts WHERE title <> ''"
PLACES: Final = f"SELECT DISTINCT region_id, {ENDS} FROM contracts"  # noqa: S608 - our own names
JOIN: Final = f"""
INSERT INTO contract_words (contract_id, words)
SELECT c.contract_id, array_to_tsvector(
         coalesce(i.words, '{{}}') || coalesce(t.words, '{{}}') || p.words
         || ARRAY['{ISSUER}' || c.issuer_id, '{ISSUER}' || c.issuer_corporation_id])
  FROM (SELECT *, {ENDS} FROM contracts) c JOIN seed.copies m USING (contract_id)
       LEFT JOIN seed.words_of_items i ON i.contract_id = m.seed_id
       LEFT JOIN seed.words_of_titles t ON t.title = c.title
       JOIN seed.words_of_places p ON p.region_id = c.region_id AND p.start = c.start
                                  AND p.destination IS NOT DISTINCT FROM c.destination
 ORDER BY c.contract_id
"""  # noqa: S608 - our own names


async def find_by_words(engine: AsyncEngine) -> None:
    """Let all copies be found as the ingestor would, and all issuers by their names."""
    async with engine.begin() as connection:
        raw = await asyncpg_connection(connection)
        await raw.execute(CREATE)
        originals = [row["contract_id"] for row in await raw.fetch("SELECT contract_id FROM seed.contracts")]
        # The seed's own items were moved away; here they are once more, as what `held` reads.
        await raw.execute("CREATE TEMPORARY TABLE contract_items AS TABLE seed.contract_items")
        held = await replaying.held(connection, originals)
        await raw.execute("DROP TABLE pg_temp.contract_items")
        facts = await facts_of(connection, {item.type_id for entry in held for item in entry.items})
        of_items = [(entry.contract_id, lexemes.of_items(names_of(entry.items, facts))) for entry in held]
        await _keep(raw, "words_of_items", of_items)
        titles = [row["title"] for row in await raw.fetch(TITLES)]
        await _keep(raw, "words_of_titles", ((title, lexemes.of_listing(title, (), ())) for title in titles))
        await words.meet_titles(raw, titles)
        await _keep(raw, "words_of_places", [await _of_place(raw, *row) for row in await raw.fetch(PLACES)])
        await raw.execute(JOIN)
    await indexing.catch_up(engine)


async def _of_place(raw: Any, region_id: int, start: int, destination: int | None) -> tuple[Any, ...]:
    ends = [start] if destination is None else [start, destination]
    known = await words.Places().names(raw, region_id, ends)
    names = [known[place] for place in (*ends, region_id) if place in known]
    return region_id, start, destination, lexemes.of_listing(None, names, ())


async def _keep(raw: Any, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    records = [(*row[:-1], list(row[-1])) for row in rows]
    await raw.copy_records_to_table(table, schema_name="seed", records=records)
