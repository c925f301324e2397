"""What an offer is worth: told by the rules, and by the statement that applies them to all contracts at once."""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import text

from common import tables
from ingestor.domain.summary import TypeFacts
from ingestor.domain.valuation import LARGEST_VALUE, NOISE, Price, Valuation, moved, value
from ingestor.esi.models import PublicItem
from ingestor.stores.items import facts_of
from ingestor.stores.valuing import revalue
from support.ingestion import NOON

TRITANIUM, RIFTER, RIFTER_BLUEPRINT, PLEX, ABYSSAL_WEB, MUTAPLASMID = 34, 587, 691, 44992, 47702, 47700
FACTS = {
    TRITANIUM: TypeFacts("Tritanium", 4),
    RIFTER: TypeFacts("Rifter", 6),
    RIFTER_BLUEPRINT: TypeFacts("Rifter Blueprint", 9),
    PLEX: TypeFacts("PLEX", 4),
    ABYSSAL_WEB: TypeFacts("Abyssal Stasis Webifier", 7, group_id=65, meta_group_id=15),
    MUTAPLASMID: TypeFacts("Gravid Stasis Webifier Mutaplasmid", 17, group_id=1964, meta_group_id=15),
}
FULL = Price(Decimal("4.01"), Decimal("4.50"), Decimal("4.25"))
ALL_PRICED = dict.fromkeys(FACTS, FULL)


def item(type_id: int, quantity: int = 1, *, offered: bool = True, **fields: Any) -> PublicItem:
    return PublicItem(record_id=1, type_id=type_id, quantity=quantity, is_included=offered, **fields)


isk = st.decimals(Decimal("0.01"), Decimal("999999999999.99"), places=2)
prices = st.dictionaries(st.sampled_from(sorted(FACTS)), st.builds(Price, *[st.none() | isk] * 3), max_size=len(FACTS))
items = st.builds(
    item,
    st.sampled_from(sorted(FACTS)),
    st.integers(-1, 10**9),
    offered=st.booleans(),
    is_blueprint_copy=st.sampled_from([None, False, True]),
    runs=st.sampled_from([None, -1, 0, 5]),
)
contents = st.lists(items, min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(contents, prices)
def test_the_value_is_exact_and_says_of_how_much(held: list[PublicItem], known: dict[int, Price]) -> None:
    worth = value(held, FACTS, known)

    assert 0 <= worth.lines_priced <= worth.lines == sum(entry.is_included for entry in held)
    assert (worth.sell is None) == (worth.average is None) == (worth.lines_priced == 0)
    for amount in worth[:3]:
        assert amount is None or (0 < amount <= LARGEST_VALUE and amount == round(amount, 2))


@settings(max_examples=40, deadline=None)
@given(contents, contents, prices)
def test_two_offers_together_are_worth_what_they_are_worth_apart(
    one: list[PublicItem], other: list[PublicItem], known: dict[int, Price]
) -> None:
    first, second, both = (value(held, FACTS, known) for held in (one, other, one + other))

    assert both.lines_priced == first.lines_priced + second.lines_priced
    for left, right, together in zip(first[:3], second[:3], both[:3], strict=True):
        assert (together or 0) == min((left or 0) + (right or 0), LARGEST_VALUE)


@settings(max_examples=40, deadline=None)
@given(contents)
def test_copies_and_abyssal_items_are_never_priced_as_their_type(held: list[PublicItem]) -> None:
    kept = [
        entry
        for entry in held
        if entry.is_included
        and entry.quantity > 0
        and entry.type_id != ABYSSAL_WEB
        and entry.is_blueprint_copy is not True
        and entry.runs in {None, -1}
    ]

    assert value(held, FACTS, ALL_PRICED).lines_priced == len(kept)


def test_what_is_asked_for_in_return_is_no_part_of_the_value() -> None:
    worth = value([item(TRITANIUM, 2), item(RIFTER, offered=False)], FACTS, ALL_PRICED)

    assert worth == Valuation(Decimal("8.02"), Decimal("9.00"), Decimal("8.50"), 1, 1)


def test_nothing_offered_is_worth_nothing_that_is_known() -> None:
    assert value([item(RIFTER, offered=False)], FACTS, ALL_PRICED) == Valuation(None, None, None, 0, 0)


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (FULL, Valuation(Decimal("8.02"), Decimal("9.00"), Decimal("8.50"), 1, 1)),
        (FULL._replace(sell=None), Valuation(Decimal("8.02"), Decimal("8.50"), Decimal("8.50"), 1, 1)),
        (FULL._replace(average=None), Valuation(Decimal("8.02"), Decimal("9.00"), Decimal("9.00"), 1, 1)),
        (FULL._replace(buy=None), Valuation(None, Decimal("9.00"), Decimal("8.50"), 1, 1)),
        (Price(Decimal(4), None, None), Valuation(None, None, None, 1, 0)),
        (Price(None, None, None), Valuation(None, None, None, 1, 0)),
    ],
)
def test_of_sell_price_and_average_one_stands_in_for_the_other(price: Price, expected: Valuation) -> None:
    assert value([item(TRITANIUM, 2)], FACTS, {TRITANIUM: price}) == expected


def test_a_line_nobody_bids_for_adds_nothing_to_what_one_gets_at_least() -> None:
    worth = value([item(TRITANIUM), item(PLEX)], FACTS, {TRITANIUM: FULL, PLEX: FULL._replace(buy=None)})

    assert (worth.buy, worth.sell, worth.lines_priced) == (Decimal("4.01"), Decimal("9.00"), 2)


def test_no_value_is_larger_than_its_column() -> None:
    worth = value([item(TRITANIUM, 2**63 - 1)] * 3, FACTS, {TRITANIUM: Price(LARGEST_VALUE, LARGEST_VALUE, None)})

    assert worth == Valuation(LARGEST_VALUE, LARGEST_VALUE, LARGEST_VALUE, 3, 3)


def test_only_what_is_more_than_noise_has_moved() -> None:
    stored = Valuation(Decimal(1000), Decimal(1000), Decimal(1000), 2, 2)

    assert not moved(stored, stored._replace(sell=Decimal("1001.00")))
    assert moved(stored, stored._replace(sell=Decimal("1001.01")))
    assert moved(stored, stored._replace(average=Decimal("998.99")))
    assert moved(stored, stored._replace(buy=None))
    assert moved(stored._replace(lines_priced=1), stored)


class Held(NamedTuple):
    """A stored contract."""

    contract_id: int
    items: Sequence[PublicItem]


@pytest.fixture
async def connection(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with engine.connect() as connection:
        yield connection


async def store_market(connection: AsyncConnection, seed: int) -> list[Held]:
    """Contracts of everything, among them lines without prices, copies, and all forms of originals."""
    rng = Random(seed)  # noqa: S311 - the same market for the same seed
    abyssal = (await connection.execute(text("SELECT type_id FROM types WHERE meta_group_id = 15 LIMIT 20"))).scalars()
    type_ids = sorted({*abyssal, *FACTS, *range(35, 41), 9_999_999})
    held = [Held(number, [_any_item(rng, type_ids, at) for at in range(rng.randint(0, 6))]) for number in range(1, 301)]
    listed = {"region_id": 1, "issuer_id": 1, "issuer_corporation_id": 1, "for_corporation": False}
    dates = {"date_issued": NOON, "date_expired": text("'infinity'::timestamptz")}
    live = {"type": "item_exchange", "items_state": "stored", **listed, **dates}
    await connection.execute(
        insert(tables.contracts).values([{"contract_id": row.contract_id, **live} for row in held])
    )
    await connection.execute(
        insert(tables.contract_items),
        [
            {name: getattr(entry, name) for name in PublicItem.__struct_fields__} | {"contract_id": row.contract_id}
            for row in held
            for entry in row.items
        ],
    )
    await connection.execute(
        insert(tables.prices),
        [{"type_id": number, **_any_price(rng)} for number in type_ids if rng.random() < 0.8],
    )
    return held


def _any_item(rng: Random, type_ids: Sequence[int], record_id: int) -> PublicItem:
    return PublicItem(
        record_id=record_id,
        type_id=rng.choice(type_ids),
        quantity=rng.choice([1, 1, 7, 10**6, 2**62, -1]),
        is_included=rng.random() < 0.8,
        is_blueprint_copy=rng.choice([None, None, None, False, True]),
        runs=rng.choice([None, None, None, None, -1, 0, 10]),
    )


def _any_price(rng: Random) -> dict[str, Decimal | None]:
    return {
        name: None if rng.random() < 0.3 else Decimal(rng.randint(1, 10 ** rng.randint(1, 14))) / 100
        for name in ("buy", "sell", "average")
    }


async def values(connection: AsyncConnection) -> dict[int, Valuation]:
    rows = await connection.execute(
        text("SELECT contract_id, value_buy, value_sell, value_average, value_lines, value_lines_priced FROM contracts")
    )
    return {contract_id: Valuation(*columns) for contract_id, *columns in rows}


async def expected(connection: AsyncConnection, held: Sequence[Held]) -> dict[int, Valuation]:
    type_ids = sorted({entry.type_id for row in held for entry in row.items})
    facts = {**dict.fromkeys(type_ids, TypeFacts("", 0)), **await facts_of(connection, type_ids)}
    rows = await connection.execute(text("SELECT type_id, buy, sell, average FROM prices"))
    known = {type_id: Price(*columns) for type_id, *columns in rows}
    return {row.contract_id: value(row.items, facts, known) for row in held}


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_statement_values_all_contracts_as_the_rules_value_each(
    connection: AsyncConnection, seed: int
) -> None:
    held = await store_market(connection, seed)

    await revalue(connection)

    assert await values(connection) == await expected(connection, held)
    assert await revalue(connection) == 0

    for part, by in ((3, NOISE / 2), (3, NOISE * 3), (1, NOISE)):
        before = await values(connection)
        await connection.execute(
            text("UPDATE prices SET sell = sell * :by, average = average * :by WHERE type_id % :part = 0"),
            {"by": 1 + by, "part": part},
        )
        now = await expected(connection, held)

        written = await revalue(connection)

        stale = {number for number in before if not moved(before[number], now[number])}
        assert await values(connection) == {
            number: before[number] if number in stale else now[number] for number in before
        }
        assert written == len(held) - len(stale)


async def test_only_live_contracts_whose_items_are_known_are_valued(connection: AsyncConnection) -> None:
    await store_market(connection, 3)
    await connection.execute(text("UPDATE contracts SET delisted_at = now() WHERE contract_id = 1"))
    await connection.execute(text("UPDATE contracts SET date_expired = now() WHERE contract_id = 2"))
    await connection.execute(text("UPDATE contracts SET items_state = 'wanted' WHERE contract_id = 3"))

    await revalue(connection)

    unvalued = [number for number, worth in (await values(connection)).items() if worth.lines is None]
    assert sorted(unvalued) == [1, 2, 3]


RATIOS: Sequence[tuple[dict[str, Any], float | None]] = [
    ({}, 0.5),
    ({"price": 0}, 0.0),
    ({"type": "auction"}, 0.5),
    ({"type": "auction", "highest_bid": 150}, 1.5),
    ({"type": "auction", "highest_bid": 150, "price": None}, 1.5),
    ({"price": None}, None),
    ({"reward": 10}, None),
    ({"reward": None}, 0.5),
    ({"items_requested": 1}, None),
    ({"value_lines_priced": 1}, None),
    ({"value_sell": None, "value_lines": 0, "value_lines_priced": 0}, None),
    ({"value_sell": 0}, None),
    ({"type": "courier"}, None),
    ({"items_requested": None, "value_lines": None, "value_lines_priced": None, "value_sell": None}, None),
]


async def test_a_price_is_set_against_a_value_only_where_the_two_compare(connection: AsyncConnection) -> None:
    listed = {"region_id": 1, "issuer_id": 1, "issuer_corporation_id": 1, "for_corporation": False}
    dates = {"date_issued": NOON, "date_expired": NOON}
    whole = {"items_state": "stored", "items_requested": 0, "value_lines": 2, "value_lines_priced": 2}
    plain = {**listed, **dates, **whole, "type": "item_exchange", "price": 50, "reward": 0, "value_sell": 100}
    for number, (columns, _) in enumerate(RATIOS):
        await connection.execute(insert(tables.contracts).values(contract_id=number, **{**plain, **columns}))

    ratios = await connection.scalars(text("SELECT value_ratio FROM contracts ORDER BY contract_id"))

    assert list(ratios) == [ratio for _, ratio in RATIOS]
