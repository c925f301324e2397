"""What `q` means: words of titles, items, places and issuers become conditions on contracts, the most relevant first.

Every word has to be found: as a whole or as the beginning of one, in whatever the contract is found by
(`common/words.py`). How relevant a contract is says the first of these tiers that it is in:

1. what it offers first is called so, in just these words;
2. every word stands in its title or the name of what it offers first;
3. every word begins one there;
4. every word begins one anywhere.

In a tier the newest comes first, so that a page at any depth is read in the order of an index: the tiers one after the
other, each by `date_issued DESC, contract_id DESC`. A tier that few contracts are in is their ids; one that many are in
is a condition to be tried on one contract after the other, for many also means that the next is near. What lies in
between is looked up day by day (`spans`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, product
from typing import Any, Final

from api.problems import InvalidRequestError
from api.queries.arguments import Arguments
from api.queries.spelling import nearest
from common.words import ABOUT, issued_on, whole, words_of

MOST_WORDS: Final = 12
MOST_NAMES_MEANT: Final = 8
NOON: Final = time(12)
BEGINS: Final = ":*"
"""PostgreSQL's mark of a beginning."""

KNOWN = """
/* search.known: for each word what it begins */
SELECT array(SELECT word FROM words WHERE word >= asked.word AND word < asked.beyond ORDER BY word LIMIT $3) AS begun
  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (word, beyond, place)
 ORDER BY asked.place
"""
NEWEST = """
/* search.sample */
SELECT {counts}, (SELECT reltuples FROM pg_class WHERE oid = 'contract_words'::regclass) AS stored FROM (
  SELECT contract_id FROM contracts WHERE delisted_at IS NULL
   ORDER BY date_issued DESC, contract_id DESC LIMIT {sample}) newest
  JOIN contract_words w USING (contract_id)
"""
IDS = "array(SELECT contract_id FROM contract_words WHERE words @@ (SELECT {query}::text::tsquery) LIMIT {most})"
IDS_AMONG = """
array(SELECT contract_id FROM contract_words
       WHERE words @@ (SELECT {among}::text::tsquery) AND (words @@ (SELECT {query}::text::tsquery)) IS TRUE
       LIMIT {most})
"""
"""The index looks for `among` only: what is tested for being true it does not look for."""
DAYS = """
/* search.days: when the first and the last that are listed were issued */
SELECT min(date_issued) AT TIME ZONE 'UTC' AS first, max(date_issued) AT TIME ZONE 'UTC' AS last
  FROM contracts WHERE delisted_at IS NULL
"""
ISSUED_THEN = """
c.contract_id = ANY(array(SELECT contract_id FROM contract_words WHERE words @@ (SELECT {query}::text::tsquery)))
"""
IS_FOUND = """
(SELECT w.words @@ (SELECT {query}::text::tsquery) FROM contract_words w WHERE w.contract_id = c.contract_id)
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on things are done another way. What is found does not depend on them."""

    begun: int = 16
    """If a word begins more words than this, the index looks for its beginning itself, which is slower."""
    few: int = 500
    """Up to how many contracts a tier is told by their ids: each costs 3 µs, and all of them are looked for; of what is
    looked up by day a page takes 2 ms, however many it is."""
    sample: int = 500
    dense: float = 0.04
    """From that part of the newest contracts on, the next contract of a tier is so near that they are tried one after
    the other; else those of a day are looked up. There a page is found in the same time both ways."""
    fewest_of_sample: int = 3
    """If that part of the newest contracts is in a tier, and these at least, its contracts are not even counted."""

    def many_of_sample(self, stored: float) -> float:
        """From how many contracts of the sample on a tier is a condition."""
        return max(self.fewest_of_sample, self.sample * self.few / max(stored, 1))


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Tier:
    """Contracts that are equally relevant; no contract is in two tiers of a search.

    `ids` are theirs, of live and gone ones, unless they are too many, or not looked for yet.
    """

    query: str
    ids: Sequence[int] | None
    number: int = 0
    """The same in every search for these words: the last tier's is 0, the one before it has 1, and so on."""
    is_few: bool = False
    """Whether they are to be told by their ids, once it is known which these are."""
    is_dense: bool = True
    """Whether they are so many that the next one is near."""

    @property
    def is_scattered(self) -> bool:
        """Whether they are too many to be told, and too few for the next one to be near."""
        return self.ids is None and not self.is_dense

    def condition(self, arguments: Arguments) -> str:
        """That a contract `c` is in it; what has to be passed is added to `arguments`."""
        if self.ids is not None:
            return f"c.contract_id = ANY({arguments.place(self.ids)}::bigint[])"
        return IS_FOUND.format(query=arguments.place(self.query)).strip()

    def of_days(self, days: Sequence[date], arguments: Arguments) -> str:
        """The same, and that it was issued on one of these days."""
        query = f"({self.query}) & ({_any(_quoted(issued_on(day)) for day in days)})"
        return ISSUED_THEN.format(query=arguments.place(query)).strip()


@dataclass(frozen=True, slots=True)
class Search:
    """What was understood. Without tiers there is nothing to be found.

    `corrected` says for each word that is written nowhere which words it was taken for.
    """

    tiers: tuple[Tier, ...]
    anywhere: Tier
    """All tiers as one, for lists in another order and for counts."""
    corrected: dict[str, list[str]] = field(default_factory=dict)
    among: str | None = None
    """A query that finds all of it and begins no words, for looking for ids."""
    most: int = 0
    """Ids that a tier is told by."""

    def condition(self, arguments: Arguments) -> str:
        """That a contract `c` is found at all."""
        return self.anywhere.condition(arguments)


async def understand(connection: Any, q: str, limits: Limits = LIMITS) -> Search:
    """What `q` means on the market of this moment. Raises InvalidRequestError if there is nothing to look for."""
    words = words_of(q)
    if not words:
        raise InvalidRequestError({"q": "has neither a letter nor a digit"})
    if len(words) > MOST_WORDS:
        raise InvalidRequestError({"q": f"has more than {MOST_WORDS} words"})
    meant = await _meant(connection, list(dict.fromkeys(words)), limits)
    taken_for = {asked: [word.text for word in each] for asked, each in meant.items()}
    corrected = {asked: words for asked, words in taken_for.items() if words != [asked]}
    queries = _queries(words, meant)
    if not queries:
        return Search((), Tier("", ()), corrected)
    return await _found(connection, queries, meant, corrected, limits)


async def with_ids(connection: Any, search: Search, tier: Tier) -> Tier:
    """The tier as it is to be read: with its ids, if it is one of few contracts.

    If all tiers together are many contracts, those of a later one are looked for only when a page gets there: of a tier
    without what stands in better ones the index finds all first, and then takes those out.
    """
    if tier.ids is not None or not tier.is_few:
        return tier
    return replace(tier, ids=(await _ids(connection, [tier.query], search.among, search.most)).get(tier.query))


async def spans(connection: Any, *, newest_first: bool, since: datetime | None) -> Iterator[list[date]]:
    """All days on which what is listed was issued, in the list's order from `since` on: one, then twice as many, ...

    A day of which less than a half is left counts with the next: to look in it alone would cost as much.
    """
    first, last = await connection.fetchrow(DAYS)
    if first is None:
        return iter(())
    begins = (last if newest_first else first) if since is None else since.astimezone(UTC).replace(tzinfo=None)
    days = [first.date() + timedelta(days=number) for number in range((last.date() - first.date()).days + 1)]
    if newest_first:
        days.reverse()
    days = [day for day in days if (day <= begins.date() if newest_first else day >= begins.date())]
    is_half_over = begins.time() < NOON if newest_first else begins.time() > NOON
    return _doubled(days, 2 if is_half_over else 1)


def _doubled(days: Sequence[date], most: int) -> Iterator[list[date]]:
    begun = 0
    while begun < len(days):
        yield list(days[begun : begun + most])
        begun, most = begun + most, 2 * most


@dataclass(frozen=True, slots=True)
class _Word:
    """What a word finds: the words it begins; None if those are too many to name them."""

    text: str
    begun: Sequence[str] | None

    def about(self) -> list[str]:
        """As the beginning of a word of what a contract is about; nothing if it begins none."""
        if self.begun is None:
            return [_quoted(ABOUT + self.text) + BEGINS]
        return [_quoted(ABOUT + word) for word in self.begun]

    def anywhere(self) -> list[str]:
        """As the beginning of any word; nothing if it begins none."""
        others = [_quoted(self.text) + BEGINS] if self.begun is None else [_quoted(word) for word in self.begun]
        return [*self.about(), *others]


Meant = dict[str, list[_Word]]
"""For each word that was asked for: itself, or those that it is taken for."""


async def _meant(connection: Any, words: Sequence[str], limits: Limits) -> Meant:
    meant = {}
    for word in await _known(connection, words, limits):
        instead = [] if word.begun != [] else await nearest(connection, word.text)
        meant[word.text] = await _known(connection, instead, limits) if instead else [word]
    return meant


async def _known(connection: Any, words: Sequence[str], limits: Limits) -> list[_Word]:
    beyond = [word + ("\U0010ffff" if len(word) > 1 else "\x01") for word in words]
    rows = await connection.fetch(KNOWN, words, beyond, limits.begun + 1)
    return [
        _Word(word, begun if len(begun) <= limits.begun else None) for word, (begun,) in zip(words, rows, strict=True)
    ]


def _queries(words: Sequence[str], meant: Meant) -> list[str]:
    """The tiers as text search queries of which no two find the same; none if a word is found nowhere."""
    anywhere = _anywhere(meant)
    if anywhere is None:
        return []
    names = islice(product(*([word.text for word in meant[asked]] for asked in words)), MOST_NAMES_MEANT)
    tiers = [
        _any(_quoted(whole(name)) for name in names),
        _all([_quoted(ABOUT + word.text) for word in each] for each in meant.values()),
        _all([lexeme for word in each for lexeme in word.about()] for each in meant.values()),
        anywhere,
    ]
    queries, better = [], None
    for tier in tiers:
        if tier is not None:
            queries.append(tier if better is None else f"({tier}) & !({better})")
            better = tier
    return queries


async def _found(
    connection: Any, queries: Sequence[str], meant: Meant, corrected: dict[str, list[str]], limits: Limits
) -> Search:
    among = _among(meant)
    counted = queries if among is None else [*queries, among]
    counts = ", ".join(
        f"count(*) FILTER (WHERE w.words @@ (SELECT ${place}::text::tsquery))"
        for place, _ in enumerate(counted, start=1)
    )
    statement = NEWEST.format(counts=counts, sample=limits.sample)
    *sampled, stored = await connection.fetchrow(statement, *counted)
    most, many = limits.few, limits.many_of_sample(stored)
    if among is not None and sampled[-1] >= many:
        among = None
    of_tiers = dict(zip(queries, sampled, strict=False))
    ids = await _ids(connection, queries, among, most) if sum(of_tiers.values()) < many else {}
    tiers = [
        Tier(
            query,
            ids.get(query),
            number,
            is_few=not ids and count < many,
            is_dense=count >= limits.dense * limits.sample,
        )
        for number, (query, count) in zip(range(len(queries))[::-1], of_tiers.items(), strict=True)
    ]
    return Search(tuple(tier for tier in tiers if tier.ids != []), _joined(tiers, meant), corrected, among, most)


async def _ids(connection: Any, queries: Sequence[str], among: str | None, most: int) -> dict[str, list[int]]:
    """The contracts that each of `queries` finds, where they are no more than `most`."""
    arguments = Arguments()
    columns = [
        IDS.format(query=arguments.place(query), most=most + 1)
        if among is None or BEGINS not in query
        else IDS_AMONG.format(among=arguments.place(among), query=arguments.place(query), most=most + 1)
        for query in queries
    ]
    found = await connection.fetchrow(f"/* search.ids */ SELECT {', '.join(columns)}", *arguments)
    return {query: each for query, each in zip(queries, found, strict=True) if len(each) <= most}


def _joined(tiers: Sequence[Tier], meant: Meant) -> Tier:
    known = [tier.ids for tier in tiers if tier.ids is not None]
    if len(known) == len(tiers):
        return Tier("", [contract_id for ids in known for contract_id in ids])
    return Tier(_anywhere(meant) or "", None)


def _anywhere(meant: Meant) -> str | None:
    return _all([lexeme for word in each for lexeme in word.anywhere()] for each in meant.values())


def _among(meant: Meant) -> str | None:
    """What all tiers are among, without the words that begin too many to name them; None without such words."""
    named = [each for each in meant.values() if all(word.begun is not None for word in each)]
    if not named or len(named) == len(meant):
        return None
    return _all([lexeme for word in each for lexeme in word.anywhere()] for each in named)


def _any(lexemes: Iterable[str]) -> str:
    return " | ".join(lexemes)


def _all(alternatives: Iterable[Sequence[str]]) -> str | None:
    """One of each of `alternatives`; None if there is one without any, so that nothing is found."""
    held = list(alternatives)
    return " & ".join(f"({_any(lexemes)})" for lexemes in held) if all(held) else None


def _quoted(lexeme: str) -> str:
    """As PostgreSQL reads it; words have neither quotes nor backslashes in them."""
    return f"'{lexeme}'"
