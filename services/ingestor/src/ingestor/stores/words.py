"""Words that contracts are found by: written with the contract, and again with its items."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from common.words import words_of
from ingestor.domain.lexemes import of_names

ADD = """
/* words.add */
INSERT INTO contract_words (contract_id, words)
SELECT id, array_to_tsvector(string_to_array(lexemes, ' '))
  FROM unnest($1::bigint[], $2::text[]) AS w (id, lexemes) ORDER BY id
ON CONFLICT DO NOTHING
"""

EXTEND = """
/* words.extend: only those that are found by something more; locked in one order by everybody */
WITH more AS MATERIALIZED (
  SELECT id, array_to_tsvector(string_to_array(lexemes, ' ')) AS words
    FROM unnest($1::bigint[], $2::text[]) AS m (id, lexemes)
), held AS MATERIALIZED (
  SELECT contract_id FROM contract_words WHERE contract_id = ANY($1::bigint[]) ORDER BY contract_id FOR UPDATE
)
UPDATE contract_words w SET words = w.words || more.words
  FROM held JOIN more ON more.id = held.contract_id
 WHERE w.contract_id = held.contract_id AND w.words <> w.words || more.words
"""

REPLACE = """
/* words.replace */
INSERT INTO contract_words AS w (contract_id, words)
SELECT id, array_to_tsvector(string_to_array(lexemes, ' '))
  FROM unnest($1::bigint[], $2::text[]) AS r (id, lexemes) ORDER BY id
ON CONFLICT (contract_id) DO UPDATE SET words = excluded.words WHERE w.words <> excluded.words
"""

MEET = """
/* words.meet: in one order for everybody, for two may meet the same new words at once */
INSERT INTO words AS w (word, is_named)
SELECT word, $2 FROM unnest($1::text[]) AS met (word) ORDER BY word COLLATE "C"
ON CONFLICT (word) DO UPDATE SET is_named = true WHERE excluded.is_named AND NOT w.is_named
"""

PLACES_OF = """
/* words.places_of */
SELECT region_id, name FROM regions WHERE region_id = ANY($1::bigint[])
UNION ALL
SELECT station_id, concat_ws(' ', t.name, y.name, r.name)
  FROM stations t LEFT JOIN systems y USING (system_id) LEFT JOIN regions r USING (region_id)
 WHERE station_id = ANY($1::bigint[])
"""
NAMES_OF = """
/* words.names_of: kept from changing until the transaction ends. So whoever learns a name sees all contracts that were
   stored without it, and whoever stores a contract knows all names that were learned without it. */
SELECT entity_id, name FROM names WHERE entity_id = ANY($1::bigint[]) ORDER BY entity_id FOR SHARE
"""

ISSUED_BY = """
/* words.issued_by: live ones */
SELECT contract_id, issuer_id, issuer_corporation_id FROM contracts
 WHERE delisted_at IS NULL AND (issuer_id = ANY($1::bigint[]) OR issuer_corporation_id = ANY($1::bigint[]))
 ORDER BY contract_id
"""

NAMED = """
/* words.named: all that has a name in New Eden and is a part of what contracts are found by */
SELECT name FROM types UNION SELECT name FROM stations UNION SELECT name FROM systems UNION SELECT name FROM regions
"""

WRITTEN, NAMED_SO = (False,), (True,)
"""Whether what is met is a name of New Eden's."""
PLACES_KEPT = 2_000
ROWS_PER_STATEMENT = 5_000
"""Of texts that are passed with it, so that a first load does not hold those of a whole market at once."""


class Places:
    """Names of places by their ids, kept by whoever asks: a region's contracts start at few."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    async def names(self, raw: Any, locations: Collection[int]) -> Mapping[int, str]:
        """Of those of `locations` that are known: a region, or a station with its system and region."""
        if len(self._names) > PLACES_KEPT:
            self._names.clear()
        unknown = set(locations) - self._names.keys()
        if unknown:
            self._names |= dict(await raw.fetch(PLACES_OF, sorted(unknown)))
        return self._names


async def add(raw: Any, lexemes: Mapping[int, str]) -> None:
    """Let new contracts be found by their `lexemes`; those that are found by some already are left alone."""
    if lexemes:
        await raw.execute(ADD, list(lexemes), list(lexemes.values()))


async def extend(raw: Any, lexemes: Mapping[int, str]) -> None:
    """Let contracts be found by these `lexemes` as well."""
    if lexemes:
        await raw.execute(EXTEND, list(lexemes), list(lexemes.values()))


async def replace(raw: Any, lexemes: Mapping[int, str]) -> None:
    """Let contracts be found by exactly these `lexemes`."""
    if lexemes:
        await raw.execute(REPLACE, list(lexemes), list(lexemes.values()))


async def names_of(raw: Any, entity_ids: Collection[int]) -> Mapping[int, str]:
    """Of characters and corporations, as far as they are known. Nobody learns another until the transaction ends."""
    known = await raw.fetch(NAMES_OF, list(entity_ids))
    return {entity_id: name for entity_id, name in known if name is not None}


async def name_issuers(raw: Any, names: Mapping[int, str]) -> None:
    """Let live contracts be found by names that were just learned, of issuers and their corporations."""
    rows = await raw.fetch(ISSUED_BY, list(names))
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        more = {
            contract_id: of_names(names[entity_id] for entity_id in issuers if entity_id in names)
            for contract_id, *issuers in rows[start : start + ROWS_PER_STATEMENT]
        }
        await extend(raw, more)
    await meet(raw, names.values())


async def meet(raw: Any, texts: Iterable[str | None]) -> None:
    """Know the words of what people write, so that whoever searches for the beginning of one finds it."""
    met = {word for text in texts if text for word in words_of(text)}
    if met:
        await raw.execute(MEET, list(met), *WRITTEN)


async def meet_named(raw: Any, names: Iterable[str]) -> None:
    """Know the words of `names`: one that is mistyped is taken for one of these."""
    met = {word for name in names for word in words_of(name)}
    if met:
        await raw.execute(MEET, list(met), *NAMED_SO)


async def meet_new_eden(raw: Any) -> None:
    """The same, of all that is stored of New Eden."""
    await meet_named(raw, [name for (name,) in await raw.fetch(NAMED)])
