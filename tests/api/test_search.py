"""What words find, held to an evaluation in Python over the same rows."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.problems import InvalidRequestError
from api.queries.arguments import Arguments
from api.queries.contracts import page_of
from api.queries.search import LIMITS, Limits, Search, spans, understand
from api.queries.spelling import is_two_mistakes_away, nearest, one_mistake_away
from api.schemas.contracts import ContractQuery, Sort
from common.database import asyncpg_connection
from common.words import words_of
from ingestor.esi.models import Name
from ingestor.stores import indexing, names
from support.market_rows import DOMAIN, HEIMATAR, THE_FORGE, MarketRows

JITA_STATION, AMARR_STATION, STRUCTURE = 60003760, 60008494, 1_030_000_000_000
STATIONS = {
    JITA_STATION: "Jita IV - Moon 4 - Caldari Navy Assembly Plant Jita The Forge",
    AMARR_STATION: "Amarr VIII (Oris) - Emperor Family Academy Amarr Domain",
    STRUCTURE: "",
}
REGIONS = {THE_FORGE: "The Forge", DOMAIN: "Domain", HEIMATAR: "Heimatar"}
TYPES = {
    587: "Rifter",
    603: "Merlin",
    34: "Tritanium",
    24698: "Drake",
    24699: "Drake Blueprint",
    33151: "Brutix Navy Issue",
    2048: "Damage Control II",
    3841: "Large Shield Extender II",
}
TITLES = [
    "",
    None,
    "cheap Drake!",
    "wts drakes",
    "Jita's best",
    "50% off_sale",
    "ДЕШЁВЫЙ дрейк",
    "Ça va",
    "x" * 90,
    "便宜 船",
]
ISSUERS = {90_000_001: "Chribba", 90_000_002: "Drake Maijstral", 90_000_003: "Jita Trader"}
CORPORATIONS = {98_000_001: "Otherworld Enterprises", 98_000_002: "Navy Surplus"}


@dataclass(frozen=True)
class Held:
    """A contract as the brute force knows it."""

    contract_id: int
    title: str | None
    names: Sequence[str]
    places: str
    issuers: str

    def tier(self, q: str) -> int | None:
        words = words_of(q)
        first = words_of(self.names[0]) if self.names else []
        about = [*words_of(self.title or ""), *first]
        other = [word for name in self.names[1:] for word in words_of(name)]
        anywhere = [*about, *other, *words_of(self.places), *words_of(self.issuers)]
        if words == first:
            return 0
        if all(word in about for word in words):
            return 1
        if all(begins(word, about) for word in words):
            return 2
        return 3 if all(begins(word, anywhere) for word in words) else None


def begins(word: str, known: Sequence[str]) -> bool:
    """One letter is no beginning."""
    return any(other == word or (len(word) > 1 and other.startswith(word)) for other in known)


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same market each time


async def market(connection: AsyncConnection, rows: MarketRows, rng: random.Random, count: int) -> list[Held]:
    """`count` contracts, each found by what the ingestor makes of it."""
    held = []
    for contract_id in range(1, count + 1):
        types = rng.sample(sorted(TYPES), rng.choice([0, 1, 1, 2, 4]))
        start, region = rng.choice(list(STATIONS)), rng.choice(list(REGIONS))
        title, issuer, corporation = rng.choice(TITLES), rng.choice(list(ISSUERS)), rng.choice(list(CORPORATIONS))
        await rows.contract(
            contract_id,
            title=title,
            start_location_id=start,
            region_id=region,
            issuer_id=issuer,
            issuer_corporation_id=corporation,
        )
        for place, type_id in enumerate(types):
            await rows.item(contract_id, type_id, record_id=place)
        foremost = next((type_id for type_id in types if type_id in SHIPS), types[0] if types else None)
        named = [TYPES[type_id] for type_id in sorted(types, key=lambda one: one != foremost)]
        places = f"{STATIONS[start]} {REGIONS[region]}"
        held.append(Held(contract_id, title, named, places, f"{ISSUERS[issuer]} {CORPORATIONS[corporation]}"))
    await learn_names(connection, ISSUERS | CORPORATIONS)
    await indexing.index(connection, range(1, count + 1))
    return held


SHIPS = {587, 603, 24698, 33151}


async def learn_names(connection: AsyncConnection, known: dict[int, str]) -> None:
    raw = await asyncpg_connection(connection)
    await raw.executemany("INSERT INTO names (entity_id, due_at) VALUES ($1, now())", [(one,) for one in known])
    await names.learn(connection, [Name(one, name, "character") for one, name in known.items()])


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.begin() as connection:
        yield connection


async def found(connection: AsyncConnection, searched: Search) -> dict[int, int]:
    """The contracts of each tier."""
    raw = await asyncpg_connection(connection)
    by_tier = {}
    for place, tier in enumerate(searched.tiers):
        for contract_id in await matching(raw, tier.condition):
            assert contract_id not in by_tier, "no contract is in two tiers"
            by_tier[contract_id] = place
    assert sorted(by_tier) == await matching(raw, searched.condition)
    return by_tier


async def matching(raw: Any, condition: Any) -> list[int]:
    arguments = Arguments()
    query = f"SELECT contract_id FROM contracts c WHERE {condition(arguments)} ORDER BY contract_id"  # noqa: S608
    return [row["contract_id"] for row in await raw.fetch(query, *arguments)]


def asked(rng: random.Random) -> str:
    """Words of names, titles and places, whole or begun, now and then one that is written nowhere."""
    texts = [*TYPES.values(), *STATIONS.values(), *ISSUERS.values(), *CORPORATIONS.values(), *filter(None, TITLES)]
    words = [word for text in rng.sample(texts, 2) for word in words_of(text)]
    chosen = rng.sample(words, min(len(words), rng.choice([1, 1, 2, 3])))
    if rng.random() < 0.1:
        return rng.choice(list(TYPES.values()))
    return " ".join(word[: rng.randint(1, len(word))] if rng.random() < 0.5 else word.upper() for word in chosen)


@pytest.mark.parametrize("limits", [LIMITS, replace(LIMITS, few=2), replace(LIMITS, begun=1)])
async def test_what_is_found_is_what_brute_force_finds_in_the_same_tiers(
    connection: AsyncConnection, rows: MarketRows, limits: Limits
) -> None:
    """However few or many are found, and whether or not all words that are begun can be named."""
    rng = dice(7)
    held = await market(connection, rows, rng, 80)
    raw = await asyncpg_connection(connection)
    await raw.execute("ANALYZE contract_words")
    some = 0

    for _ in range(150):
        q = asked(rng)
        searched = await understand(raw, q, limits)
        tiers = {one.contract_id: one.tier(q) for one in held}
        expected = {contract_id: tier for contract_id, tier in tiers.items() if tier is not None}
        by_tier = await found(connection, searched)
        assert by_tier.keys() == expected.keys() or searched.corrected, q
        if not searched.corrected:
            ranks = sorted(set(expected.values()))
            told = sorted(set(by_tier.values()))
            assert {one: told.index(tier) for one, tier in by_tier.items()} == {
                one: ranks.index(tier) for one, tier in expected.items()
            }, q
            some += bool(expected)
    assert some > 75


async def test_a_page_is_the_same_however_many_are_tried_told_or_looked_up_by_day(
    connection: AsyncConnection, rows: MarketRows
) -> None:
    rng = dice(8)
    await market(connection, rows, rng, 80)
    raw = await asyncpg_connection(connection)
    await raw.execute("UPDATE contracts SET date_issued = date_issued - contract_id % 17 * interval '13 hours'")
    await indexing.index(connection, range(1, 81))
    scattered = replace(LIMITS, few=0, sample=1, fewest_of_sample=0, dense=2)
    seen = 0

    for number in range(100):
        order = ("asc", "desc")[number % 2]
        query = ContractQuery(q=asked(rng), sort=Sort.RELEVANCE, order=order, limit=1 + number % 5)
        ways = [await understand(raw, query.q or "", limits) for limits in (LIMITS, scattered)]
        position, left = None, 4
        while left:
            told, by_day = [await page_of(raw, query, way, position) for way in ways]
            assert (by_day.found, by_day.after) == (told.found, told.after), query.q
            seen += len(told.found)
            position, left = told.after, left - 1 if told.after else 0
    assert seen > 100


@pytest.mark.parametrize(
    ("written", "meant"),
    [("drkae", ["drake"]), ("tritanum", ["tritanium"]), ("veldspr", ["veldspar"]), ("scordiet", ["scordite"])],
)
async def test_a_word_that_nobody_writes_is_taken_for_the_nearest(
    connection: AsyncConnection, written: str, meant: list[str]
) -> None:
    assert await nearest(await asyncpg_connection(connection), written) == meant


@pytest.mark.parametrize("written", ["", "x", "qq", "123456789", "qqqqqqqqqqqq", "\U0001f680", "x" * 40])
async def test_what_is_near_to_nothing_is_left_as_it_is(connection: AsyncConnection, written: str) -> None:
    assert await nearest(await asyncpg_connection(connection), written) == []


@given(st.text("abc1", min_size=1, max_size=6), st.text("abc1", min_size=1, max_size=6))
def test_one_mistake_is_one_and_two_hold_every_one(word: str, other: str) -> None:
    if other in one_mistake_away(word):
        assert word in one_mistake_away(other)
        assert is_two_mistakes_away(word, other)


async def test_a_mistyped_word_finds_what_was_meant_and_says_so(connection: AsyncConnection, rows: MarketRows) -> None:
    held = await market(connection, rows, dice(1), 30)
    raw = await asyncpg_connection(connection)

    searched = await understand(raw, "drkae jitta")

    assert searched.corrected == {"drkae": ["drake"], "jitta": ["jita"]}
    assert await found(connection, searched) == await found(connection, await understand(raw, "drake jita"))
    assert {one.contract_id for one in held if one.tier("drake jita") is not None}


async def test_a_word_of_a_title_or_of_a_name_is_not_mistaken(connection: AsyncConnection, rows: MarketRows) -> None:
    await market(connection, rows, dice(1), 30)
    raw = await asyncpg_connection(connection)

    assert [(await understand(raw, q)).corrected for q in ("wts", "chrib", "drakes")] == [{}, {}, {}]


@pytest.mark.parametrize("q", ["", " ", "%", "_", "'", "\\", "!!! ?", "\u0301", "(", "<->", "a " * 13, "\ud800"])
async def test_what_holds_no_word_or_too_many_is_refused(connection: AsyncConnection, q: str) -> None:
    with pytest.raises(InvalidRequestError):
        await understand(await asyncpg_connection(connection), q)


STRANGE = [
    "100%",
    "o'neill",
    "a_b",
    "' or 1=1 --",
    "drake:*",
    "!drake",
    "x" * 1000,
    "\x00drake",
    "é",
    "船",
    "=drake",
    "@1",
]
STRANGER = ["\\'a", "drake & | !", "\u202edrake", "\ufb01t", "1e309", "-1", "9" * 400]


@pytest.mark.parametrize("q", [*STRANGE, *STRANGER])
async def test_nothing_that_people_type_is_more_than_words(connection: AsyncConnection, q: str) -> None:
    searched = await understand(await asyncpg_connection(connection), q)

    assert await found(connection, searched) == {}


class Listed:
    """A market of which only the first and the last contract's date of issue are known, in UTC."""

    def __init__(self, first: datetime, last: datetime) -> None:
        self._ends = (first, last)

    async def fetchrow(self, _: str) -> tuple[datetime, datetime]:
        return self._ends


MOMENTS = st.datetimes(datetime(2026, 11, 1), datetime(2026, 12, 15))  # noqa: DTZ001 - as PostgreSQL tells them


@given(
    ends=st.lists(MOMENTS, min_size=2, max_size=2).map(sorted), since=st.none() | MOMENTS, newest_first=st.booleans()
)
async def test_a_search_by_day_looks_in_every_day_once_and_begins_with_half_a_day_at_least(
    *, ends: list[datetime], since: datetime | None, newest_first: bool
) -> None:
    first, last = ends
    begins = since or (last if newest_first else first)

    looked_in = await spans(Listed(first, last), newest_first=newest_first, since=since and since.replace(tzinfo=UTC))
    spanned = list(looked_in)

    days = [(first + timedelta(days=number)).date() for number in range((last.date() - first.date()).days + 1)]
    beyond = [day for day in days if (day <= begins.date() if newest_first else day >= begins.date())]
    assert [day for span in spanned for day in span] == (beyond[::-1] if newest_first else beyond)
    midnight = datetime.combine(begins.date(), time())
    left = begins - midnight if newest_first else midnight + timedelta(days=1) - begins
    days_at_first = 1 if left >= timedelta(hours=12) else 2
    assert len(spanned[0] if spanned else []) == min(days_at_first, len(beyond))
    for shorter, longer in pairwise(spanned[:-1]):
        assert len(longer) == 2 * len(shorter)
