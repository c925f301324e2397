"""Contracts whose words are worked out anew: stored by an older release, retitled, or at a place that is new to us."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from common.database import asyncpg_connection
from ingestor.domain import lexemes
from ingestor.domain.summary import names_of
from ingestor.stores import words
from ingestor.stores.items import facts_of

CONTRACTS_PER_CHUNK = 1_000

LISTED = """
/* indexing.listed */
SELECT contract_id, title, region_id, issuer_id, issuer_corporation_id, start_location_id,
       CASE WHEN type = 'courier' THEN end_location_id END AS destination,
       (date_issued AT TIME ZONE 'UTC')::date AS issued
  FROM contracts WHERE contract_id = ANY($1::bigint[]) ORDER BY contract_id
"""

HELD = """
/* indexing.held: the types that are offered, or else wanted */
SELECT contract_id, coalesce(array_agg(type_id ORDER BY record_id) FILTER (WHERE is_included),
                             array_agg(type_id ORDER BY record_id)) AS type_ids
  FROM contract_items WHERE contract_id = ANY($1::bigint[]) GROUP BY contract_id
"""

MISSING = """
/* indexing.missing */
SELECT contract_id FROM contracts c
 WHERE contract_id > $1 AND NOT EXISTS (SELECT FROM contract_words w WHERE w.contract_id = c.contract_id)
 ORDER BY contract_id LIMIT $2
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
    held = dict(await raw.fetch(HELD, contract_ids))
    facts = await facts_of(connection, {type_id for type_ids in held.values() for type_id in type_ids})
    names = {
        contract_id: names_of(type_ids, facts)
        for contract_id, type_ids in held.items()
        if all(type_id in facts for type_id in type_ids)
    }
    ends = {row["contract_id"]: [row["start_location_id"], row["destination"], row["region_id"]] for row in listed}
    known = await words.Places().names(raw, {place for each in ends.values() for place in each if place is not None})
    issuers = await words.names_of(raw, {row[of] for row in listed for of in ("issuer_id", "issuer_corporation_id")})
    found = {}
    for contract_id, title, _, issuer_id, corporation_id, _, _, issued in listed:
        told = [known[place] for place in ends[contract_id] if place in known]
        told += [issuers[entity_id] for entity_id in (issuer_id, corporation_id) if entity_id in issuers]
        of_list = lexemes.of_listing(title, told, issued)
        found[contract_id] = f"{of_list} {lexemes.of_items(names.get(contract_id, ()))}".strip()
    await words.replace(raw, found)
    await words.meet(raw, [*(row["title"] for row in listed), *issuers.values()])
