"""What types cost: the averages of New Eden, and the best orders at Jita; each read when it may be newer."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from common.events import Dataset
from ingestor.datasets import Ingest, Ingredients, NothingToDoError, Stored
from ingestor.esi.client import Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.market import Averages, Orders, averages, best_orders
from ingestor.stores import prices, valuing
from ingestor.stores.runs import Run

ORDERS_EVERY = timedelta(minutes=14)
"""Every third slot of five minutes. Upstream's orders are new each five, but a reading is some 400 pages or 80 MB, and
every contract is valued anew: for estimates a quarter of an hour is near enough. It takes 800 of the 12,000 tokens that
market-order grants in that time, so that even readings that are repeated stay far below them."""
ORDERS_SECONDS = 45
"""For reading them. It leaves the averages their time within a run's, for the one is stored without the other."""


@dataclass(slots=True)
class Reading:
    """What was read of either source, and what kept the other from it."""

    averages: Averages | None = None
    orders: Orders | None = None
    faults: list[UpstreamUnavailableError | UpstreamRefusedError] = field(default_factory=list)


class Prices:
    """Knows what things cost."""

    name = Dataset.PRICES

    def __init__(self, ingredients: Ingredients) -> None:
        self._engine = ingredients.engine
        self._esi = ingredients.esi
        self._cache = ingredients.cache

    async def read(self, run: Run, traffic: Traffic) -> Reading:
        async with self._engine.connect() as connection:
            merged = await prices.sources(connection)
        force = run.command.force
        due = {name for name in (prices.AVERAGE, prices.ORDERS) if force or name not in merged or merged[name]["due"]}
        if not due:
            soonest = min(row["due_at"] for row in merged.values())
            raise NothingToDoError(f"no prices are due before {soonest:%Y-%m-%dT%H:%M:%SZ}")
        held = {} if force else {name: row["generation"] for name, row in merged.items()}
        reading = Reading()
        if prices.AVERAGE in due:
            await self._read_averages(reading, traffic, held.get(prices.AVERAGE), force=force)
        if prices.ORDERS in due:
            await self._read_orders(reading, traffic, held.get(prices.ORDERS))
        return _something(reading)

    async def _read_averages(self, reading: Reading, traffic: Traffic, held: datetime | None, *, force: bool) -> None:
        try:
            found = await averages(self._cache, traffic, again=force)
        except (UpstreamUnavailableError, UpstreamRefusedError) as error:
            reading.faults.append(error)
        else:
            reading.averages = found if held is None or found.generation > held else None

    async def _read_orders(self, reading: Reading, traffic: Traffic, held: datetime | None) -> None:
        try:
            async with asyncio.timeout(ORDERS_SECONDS):
                reading.orders = await best_orders(self._esi, traffic, newer_than=held)
        except TimeoutError:
            reading.faults.append(UpstreamUnavailableError(f"the orders were not read within {ORDERS_SECONDS} s"))
        except (UpstreamUnavailableError, UpstreamRefusedError) as error:
            reading.faults.append(error)

    async def store(self, connection: AsyncConnection, run: Run, reading: Reading) -> Stored:
        del run
        await valuing.hold(connection)
        merged: list[dict[str, int]] = []
        if reading.averages is not None:
            merged += _known(await prices.merge_averages(connection, reading.averages))
        if reading.orders is not None:
            merged += _known(await prices.merge_orders(connection, reading.orders, again_in=ORDERS_EVERY))
        if not merged:
            raise NothingToDoError("superseded: newer prices are merged")
        counts = {name: sum(of[name] for of in merged) for name in merged[0]}
        if counts["listed"] or counts["changed"]:
            await valuing.revalue(connection)
        return Stored(counts, "; ".join(map(str, reading.faults)) or None)


def _something(reading: Reading) -> Reading:
    """The reading, if there is anything in it. Raises what kept it empty, or `NothingToDoError`."""
    if reading.averages is None and reading.orders is None:
        if reading.faults:
            raise reading.faults[0]
        raise NothingToDoError("upstream has nothing newer yet")
    return reading


def _known(counts: dict[str, int] | None) -> list[dict[str, int]]:
    return [] if counts is None else [counts]


def build(ingredients: Ingredients) -> Ingest:
    return Prices(ingredients)
