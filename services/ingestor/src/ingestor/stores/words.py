"""Words that contracts are found by: written with the contract, and again with its items."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from common.words import words_of

ADD = """
/* words.add */
INSERT INTO contract_words (contract_id, words)
SELECT id, array_to_tsvector(string_to_array(lexemes, ' '))
  FROM unnest($1::bigint[], $2::text[]) AS w (id, lexemes) ORDER BY id
ON CONFLICT DO NOTHING
"""

EXTEND = """
/* words.extend: only those that are found by something more */
UPDATE contract_words w SET words = w.words || more.words
  FROM (SELECT id, array_to_tsvector(string_to_array(lexemes, ' ')) AS words
          FROM unnest($1::bigint[], $2::text[]) AS m (id, lexemes)) more
 WHERE w.contract_id = more.id AND w.words <> w.words || more.words
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
SELECT station_id, concat_ws(' ', t.name, y.name, r.name)
  FROM stations t LEFT JOIN systems y USING (system_id) LEFT JOIN regions r USING (region_id)
 WHERE station_id = ANY($1::bigint[])
"""
REGION_OF = "/* words.region_of */ SELECT name FROM regions WHERE region_id = $1"

NAMED = """
/* words.named: all that has a name in New Eden and is a part of what contracts are found by */
SELECT name FROM types UNION SELECT name FROM stations UNION SELECT name FROM systems UNION SELECT name FROM regions
"""

TITLES, NAMES = (False,), (True,)
"""Whether what is met is a name of New Eden's."""
PLACES_KEPT = 2_000


class Places:
    """Names of places by their ids, kept by whoever asks: a region's contracts start at few."""

    def __init__(self) -> None:
        self._stations: dict[int, str] = {}
        self._regions: dict[int, str] = {}

    async def names(self, raw: Any, region_id: int, locations: Collection[int]) -> Mapping[int, str]:
        """Station, system and region of those `locations` that are known, and the region of the list."""
        if len(self._stations) > PLACES_KEPT:
            self._stations.clear()
        unknown = set(locations) - self._stations.keys()
        if unknown:
            self._stations |= dict(await raw.fetch(PLACES_OF, sorted(unknown)))
        if region_id not in self._regions:
            name = await raw.fetchval(REGION_OF, region_id)
            if name is not None:
                self._regions[region_id] = name
        return self._stations | self._regions


async def add(raw: Any, lexemes: Mapping[int, Iterable[str]]) -> None:
    """Let new contracts be found by their `lexemes`; those that are found by some already are left alone."""
    if lexemes:
        await raw.execute(ADD, *_columns(lexemes))


async def extend(raw: Any, lexemes: Mapping[int, Iterable[str]]) -> None:
    """Let contracts be found by these `lexemes` as well."""
    if lexemes:
        await raw.execute(EXTEND, *_columns(lexemes))


async def replace(raw: Any, lexemes: Mapping[int, Iterable[str]]) -> None:
    """Let contracts be found by exactly these `lexemes`."""
    if lexemes:
        await raw.execute(REPLACE, *_columns(lexemes))


async def meet_titles(raw: Any, titles: Iterable[str | None]) -> None:
    """Know the words of `titles`, so that whoever searches for the beginning of one finds it."""
    met = {word for title in titles if title for word in words_of(title)}
    if met:
        await raw.execute(MEET, list(met), *TITLES)


async def meet_names(raw: Any, names: Iterable[str]) -> None:
    """Know the words of `names`: one that is mistyped is taken for one of these."""
    met = {word for name in names for word in words_of(name)}
    if met:
        await raw.execute(MEET, list(met), *NAMES)


async def meet_new_eden(raw: Any) -> None:
    """The same, of all that is stored of New Eden."""
    await meet_names(raw, [name for (name,) in await raw.fetch(NAMED)])


def _columns(lexemes: Mapping[int, Iterable[str]]) -> tuple[list[int], list[str]]:
    return list(lexemes), [" ".join(each) for each in lexemes.values()]
