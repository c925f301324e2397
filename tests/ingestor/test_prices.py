"""What types cost: read from two sources, each on its own, and only ever forwards."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from common.events import ContractEnriched, Dataset, IngestRequested, ItemsWanted
from common.ids import new_id
from ingestor.domain.orders import CALDARI_NAVY_ASSEMBLY_PLANT, JITA, Best, BestOrders
from ingestor.esi.models import MarketOrder
from ingestor.stores import valuing
from ingestor.stores.items import prices_of
from support.ingestion import NOON, REGION, Ingestion, contract, ingestion, whole_list
from support.scripted_esi import Asked, ScriptedEsi, answer, listed, scripted_esi

TRITANIUM, RIFTER, PLEX = 34, 587, 44992
PERIMETER, ELSEWHERE = 30000144, 60000001


def order(type_id: int, price: object, *, buy: bool = False, **fields: Any) -> dict[str, Any]:
    """An order at Jita IV - Moon 4 that reaches its station."""
    place = {"location_id": CALDARI_NAVY_ASSEMBLY_PLANT, "system_id": JITA, "range": "station", "min_volume": 1}
    return {**place, "type_id": type_id, "is_buy_order": buy, "price": price, "order_id": 1, **fields}


@dataclass
class Upstream:
    """What upstream says of prices; pages of orders, and when each was made."""

    averages: Any = field(default_factory=lambda: [{"type_id": PLEX, "average_price": 3e6, "adjusted_price": 0.0}])
    pages: list[Sequence[Any]] = field(default_factory=lambda: [[order(TRITANIUM, 4.5)], [order(RIFTER, 400000.01)]])
    made: datetime = NOON
    late: dict[int, datetime] = field(default_factory=dict)
    stated: dict[int, int] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)

    def __call__(self, asked: Asked) -> bytes:
        target = urlsplit(asked.target)
        if target.path == "/markets/prices":
            refused = answer({"error": "No prices"}, 404)
            return refused if self.averages is None else listed(self.averages, Last_Modified=_http(self.made))
        if target.path.startswith("/contracts/public/items/"):
            items = [{"record_id": 1, "type_id": TRITANIUM, "quantity": 100, "is_included": True}]
            return answer(items, X_Pages="1")
        number = int(parse_qs(target.query)["page"][0])
        if number in self.gone:
            return answer({"error": "Requested page does not exist!"}, 404)
        pages = self.stated.get(number, len(self.pages))
        made = self.late.get(number, self.made)
        return listed(self.pages[number - 1], X_Pages=str(pages), Last_Modified=_http(made))


def _http(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


@dataclass
class Prices:
    """The ingestor, and the upstream that it asks."""

    upstream: Upstream
    esi: ScriptedEsi
    ingestor: Ingestion

    async def read(self, *, force: bool = False, due: bool = True) -> Any:
        """Run the dataset once, delivered twice; `due` makes every source due before. Returns the run."""
        if due:
            await self.ingestor.execute("UPDATE price_sources SET due_at = now()")
        self.esi.asked.clear()
        run_id = new_id()
        await self.ingestor.deliver(IngestRequested(dataset=Dataset.PRICES, run_id=run_id, force=force))
        return await self.ingestor.run(run_id)

    async def stored(self) -> dict[int, tuple[Any, ...]]:
        """Buy, sell and average of every type."""
        rows = await self.ingestor.rows("SELECT type_id, buy, sell, average FROM prices")
        return {row.type_id: (row.buy, row.sell, row.average) for row in rows}

    async def versions(self) -> dict[int, str]:
        """What tells a row that was written from one that was not."""
        rows = await self.ingestor.rows("SELECT type_id, xmin::text || ctid::text AS version FROM prices")
        return {row.type_id: row.version for row in rows}


@pytest.fixture
async def prices(engine: AsyncEngine) -> AsyncIterator[Prices]:
    upstream = Upstream()
    async with scripted_esi(upstream) as esi, ingestion(engine, esi.url) as ingestor:
        yield Prices(upstream, esi, ingestor)


HELD = {
    TRITANIUM: (None, Decimal("4.50"), None),
    RIFTER: (None, Decimal("400000.01"), None),
    PLEX: (None, None, Decimal("3000000.00")),
}


async def test_both_sources_are_read_and_stored(prices: Prices) -> None:
    run = await prices.read()

    assert await prices.stored() == HELD
    assert (run.state, run.fetched, run.listed, run.upstream_requests) == ("succeeded", 3, 3, 3)


async def test_nothing_is_asked_while_nothing_can_be_newer(prices: Prices) -> None:
    await prices.read()

    run = await prices.read(due=False)

    assert (run.state, prices.esi.asked) == ("skipped", [])
    assert "no prices are due before" in run.reason


async def test_orders_of_a_generation_that_is_held_cost_one_page(prices: Prices) -> None:
    await prices.read()

    run = await prices.read()

    assert run.state == "skipped"
    assert [target for target in prices.esi.targets() if "orders" in target] == [
        "/markets/10000002/orders?order_type=all&page=1"
    ]


async def test_prices_that_did_not_change_are_not_written(prices: Prices) -> None:
    await prices.read()
    before = await prices.versions()
    prices.upstream.made += timedelta(minutes=5)
    prices.upstream.pages[0] = [order(TRITANIUM, 4.51), order(TRITANIUM, 4.5)]
    prices.upstream.pages[1] = [order(RIFTER, 400000.02)]

    run = await prices.read(force=True)

    after = await prices.versions()
    assert (run.state, run.changed, run.unchanged) == ("succeeded", 1, 2)
    assert [type_id for type_id in before if before[type_id] != after[type_id]] == [RIFTER]


async def test_an_older_reading_never_replaces_a_newer_one(prices: Prices) -> None:
    await prices.read()
    prices.upstream.made -= timedelta(minutes=5)
    prices.upstream.pages = [[order(TRITANIUM, 1)]]
    prices.upstream.averages = [{"type_id": PLEX, "average_price": 1}]

    run = await prices.read(force=True)

    assert run.state == "skipped"
    assert await prices.stored() == HELD


async def test_a_type_loses_its_orders_but_never_its_average(prices: Prices) -> None:
    await prices.read()
    prices.upstream.made += timedelta(minutes=5)
    prices.upstream.pages = [[order(TRITANIUM, 4.25, buy=True)]]
    prices.upstream.averages = [{"type_id": PLEX}, {"type_id": RIFTER, "average_price": 390000}]

    run = await prices.read(force=True)

    assert await prices.stored() == {
        TRITANIUM: (Decimal("4.25"), None, None),
        RIFTER: (None, None, Decimal("390000.00")),
        PLEX: (None, None, Decimal("3000000.00")),
    }
    assert run.fetched == run.listed + run.changed + run.unchanged + run.rejected


async def test_an_order_that_cannot_be_read_costs_only_itself_and_blanks_nothing(prices: Prices) -> None:
    await prices.read()
    prices.upstream.made += timedelta(minutes=5)
    prices.upstream.pages = [[{"type_id": "?"}, order(TRITANIUM, 4.75), order(RIFTER, "NaN"), None]]
    prices.upstream.averages = [{"type_id": PLEX, "average_price": 2e6}, {"type_id": TRITANIUM, "average_price": []}]

    run = await prices.read(force=True)

    assert (run.state, run.rejected) == ("partial", 3)
    assert await prices.stored() == {
        TRITANIUM: (None, Decimal("4.75"), None),
        RIFTER: (None, Decimal("400000.01"), None),
        PLEX: (None, None, Decimal("2000000.00")),
    }


SHEARS = (
    {"late": {2: NOON + timedelta(minutes=10)}},
    {"late": {2: NOON}},
    {"stated": {2: 3}},
    {"gone": {2}},
)
"""A newer page, an older page, another number of pages, a page that vanished."""


async def test_pages_that_do_not_agree_leave_the_old_orders(prices: Prices) -> None:
    await prices.read()
    prices.upstream.made += timedelta(minutes=5)
    prices.upstream.pages = [[order(TRITANIUM, 1)], [order(RIFTER, 1)]]
    prices.upstream.averages = [{"type_id": PLEX, "average_price": 2e6}]

    for shear in SHEARS:
        prices.upstream.late, prices.upstream.stated, prices.upstream.gone = {}, {}, set()
        for name, trouble in shear.items():
            setattr(prices.upstream, name, trouble)
        run = await prices.read(force=True)

        assert run.state == "partial"
        assert "the orders kept changing while they were read" in run.reason
        assert await prices.stored() == {**HELD, PLEX: (None, None, Decimal("2000000.00"))}
        assert len(prices.esi.asked) == 5


async def test_pages_made_a_moment_apart_are_one_generation(prices: Prices) -> None:
    prices.upstream.late[2] = NOON + timedelta(seconds=1)

    assert (await prices.read()).state == "succeeded"


async def test_a_market_without_orders_is_not_believed(prices: Prices) -> None:
    await prices.read()
    prices.upstream.made += timedelta(minutes=5)
    prices.upstream.pages = [[], []]

    assert (await prices.read(force=True)).state == "partial"
    assert await prices.stored() == HELD


async def test_orders_are_stored_though_averages_cannot_be_had(prices: Prices) -> None:
    prices.upstream.averages = None

    run = await prices.read()

    assert (run.state, run.reason) == ("partial", "ESI answered 404: No prices")
    assert set(await prices.stored()) == {TRITANIUM, RIFTER}
    assert [row.source for row in await prices.ingestor.rows("SELECT source FROM price_sources")] == ["orders"]


async def test_a_contract_is_valued_with_its_items_and_again_when_prices_change(prices: Prices) -> None:
    columns = "SELECT value_sell, value_lines, value_lines_priced, value_ratio, packaged_volume FROM contracts"
    await prices.read()
    late = NOON + timedelta(days=3650)
    await prices.ingestor.merge(whole_list(contract(1, price=Decimal(225), date_expired=late)))
    await prices.ingestor.deliver(ItemsWanted(region_id=REGION, contract_ids=(1,)))
    assert tuple(await prices.ingestor.row(columns)) == (Decimal("450.00"), 1, 1, 0.5, 1.0)
    (told,) = await prices.ingestor.sent(ContractEnriched)
    assert (told.value_sell, told.value_lines, told.value_lines_priced) == (Decimal(450), 1, 1)
    prices.upstream.made += timedelta(minutes=5)
    prices.upstream.pages = [[order(TRITANIUM, 9)]]

    await prices.read(force=True)

    assert tuple(await prices.ingestor.row(columns)) == (Decimal("900.00"), 1, 1, 0.25, 1.0)


async def test_prices_wait_for_contracts_that_are_being_valued_by_the_old_ones(engine: AsyncEngine) -> None:
    async with engine.begin() as valued, engine.begin() as changed:
        await prices_of(valued, [TRITANIUM])
        await changed.execute(text("SET LOCAL lock_timeout = '20ms'"))

        with pytest.raises(asyncpg.LockNotAvailableError):
            await valuing.hold(changed)

        await changed.rollback()
        await valued.rollback()


# Which orders count


def orders(*rows: dict[str, Any]) -> list[MarketOrder]:
    known = MarketOrder.__struct_fields__
    return [
        MarketOrder(**{name: row[name] for name in known if name != "price"}, price=Decimal(str(row["price"])))
        for row in rows
    ]


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({}, True),
        ({"range": "5"}, True),
        ({"location_id": ELSEWHERE}, False),
        ({"location_id": ELSEWHERE, "range": "solarsystem"}, True),
        ({"location_id": ELSEWHERE, "range": "1"}, True),
        ({"location_id": ELSEWHERE, "system_id": PERIMETER, "range": "region"}, True),
        ({"location_id": ELSEWHERE, "system_id": PERIMETER, "range": "solarsystem"}, False),
        ({"location_id": ELSEWHERE, "system_id": PERIMETER, "range": "40"}, False),
        ({"min_volume": 2}, False),
        ({"price": "0"}, False),
        ({"price": "0.001"}, False),
        ({"price": "NaN"}, False),
        ({"price": "1e30"}, False),
    ],
)
def test_a_buy_order_counts_where_one_can_surely_sell_to_it_at_the_hub(fields: dict[str, Any], *, counts: bool) -> None:
    best = BestOrders()

    best.fold(orders({**order(TRITANIUM, 5, buy=True), **fields}))

    assert (best.found() != {}) == counts


def test_a_sell_order_counts_only_at_the_hub() -> None:
    best = BestOrders()

    best.fold(orders(order(TRITANIUM, 3, location_id=ELSEWHERE, range="region"), order(TRITANIUM, 4)))

    assert best.found() == {TRITANIUM: Best(None, Decimal("4.00"))}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.integers(1, 10**6), st.booleans()), max_size=30),
    st.integers(1, 10),
)
def test_the_best_are_the_best_however_the_pages_are_cut(rows: list[tuple[int, int, bool]], size: int) -> None:
    found = orders(*(order(type_id, price, buy=buy) for type_id, price, buy in rows))
    best = BestOrders()

    for start in range(0, len(found), size):
        best.fold(found[start : start + size])

    for type_id, (buy, sell) in best.found().items():
        assert buy == max((price for of, price, is_buy in rows if of == type_id and is_buy), default=None)
        assert sell == min((price for of, price, is_buy in rows if of == type_id and not is_buy), default=None)
    assert set(best.found()) == {type_id for type_id, *_ in rows}
