"""Reading what types cost: the averages of New Eden, and the best orders at its largest market."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Generic, TypeVar

import msgspec

from common.logs import get_logger
from ingestor.domain.listing import ONE_GENERATION
from ingestor.domain.orders import THE_FORGE, Best, BestOrders
from ingestor.esi.cache import ResponseCache
from ingestor.esi.client import Answer, EsiClient, Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.models import MarketOrder, MarketPrice

log = get_logger(__name__)

T = TypeVar("T")

SWEEPS = 2
"""Readings of the orders whose pages do not agree. The second begins with a new generation, which has 300 s to go."""
ABREAST = 10
"""Pages that are asked for at once. Prices are in no hurry, and each page held is 200 kB."""
MOST_PAGES = 2_000
ORDERS_PATH = f"/markets/{THE_FORGE}/orders"
PRICES_PATH = "/markets/prices"


@dataclass(frozen=True, slots=True)
class Averages:
    """A reading of `/markets/prices`."""

    generation: datetime
    fresh_for: timedelta
    rows: list[MarketPrice]
    rejected: int


@dataclass(frozen=True, slots=True)
class Orders:
    """The best orders of all pages of one generation. Absence means something only when `rejected` is 0."""

    generation: datetime
    best: dict[int, Best]
    rejected: int


class ShearedError(Exception):
    """The pages are not of one generation."""


class _Rows(Generic[T]):
    """Decodes lists: the readable rows, and how many are not."""

    def __init__(self, kind: type[T]) -> None:
        self._all = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # a type at run time
        self._one = msgspec.json.Decoder(kind)

    def read(self, body: bytes) -> tuple[list[T], int]:
        """Raises `UpstreamUnavailableError` for what is no list."""
        try:
            return self._all.decode(body), 0
        except (msgspec.ValidationError, UnicodeDecodeError):
            return self._one_by_one(body)
        except msgspec.DecodeError as error:
            raise UpstreamUnavailableError(f"unreadable prices: {error}") from error

    def _one_by_one(self, body: bytes) -> tuple[list[T], int]:
        try:
            raws = _RAW.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamUnavailableError(f"unreadable prices: {error}") from error
        good: list[T] = []
        for raw in raws:
            try:
                good.append(self._one.decode(raw))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                log.warning("row rejected", error=str(error))
        return good, len(raws) - len(good)


_RAW = msgspec.json.Decoder(list[msgspec.Raw])
_PRICES = _Rows(MarketPrice)
_ORDERS = _Rows(MarketOrder)


async def averages(cache: ResponseCache, traffic: Traffic, *, again: bool) -> Averages:
    """What upstream says types cost on average. Raises as the client does, and for an empty list."""
    found = await cache.get(PRICES_PATH, traffic=traffic, again=again)
    rows, rejected = _PRICES.read(found.body)
    if not rows:
        raise UpstreamUnavailableError("a list of no prices is not believable")
    return Averages(found.generation, found.fresh_for, rows, rejected)


async def best_orders(esi: EsiClient, traffic: Traffic, *, newer_than: datetime | None) -> Orders | None:
    """The best orders of The Forge; None if upstream's are not `newer_than`.

    The pages are not kept to be asked for with their validators: hardly one is the same a quarter of an hour later.
    Raises `UpstreamUnavailableError` when the pages do not agree, and as the client does.
    """
    for _ in range(SWEEPS):
        try:
            return await _sweep(esi, traffic, newer_than)
        except ShearedError as error:
            fault = str(error)
            log.info("orders are sheared", fault=fault)
    raise UpstreamUnavailableError(f"the orders kept changing while they were read: {fault}")


async def _sweep(esi: EsiClient, traffic: Traffic, newer_than: datetime | None) -> Orders | None:
    first = await _page(esi, 1, traffic)
    generation, pages = _generation(first), _pages(first)
    if newer_than is not None and generation <= newer_than:
        return None
    sweep = _Sweep(esi, traffic, generation, pages)
    sweep.fold(first)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(ABREAST, pages - 1)):
                group.create_task(sweep.follow())
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    if not sweep.read:
        raise UpstreamUnavailableError("a market without orders is not believable")
    return Orders(generation, sweep.best.found(), sweep.rejected)


class _Sweep:
    """One reading of all pages, folded as they come; several `follow` it at once."""

    def __init__(self, esi: EsiClient, traffic: Traffic, generation: datetime, pages: int) -> None:
        self._esi = esi
        self._traffic = traffic
        self._generation = generation
        self._pages = pages
        self._numbers = iter(range(2, pages + 1))
        self.best = BestOrders()
        self.read = 0
        self.rejected = 0

    async def follow(self) -> None:
        """Read pages while there are any. Raises `ShearedError` for one that is of another generation."""
        for number in self._numbers:
            page = await _page(self._esi, number, self._traffic)
            if abs(_generation(page) - self._generation) > ONE_GENERATION:
                raise ShearedError("the pages are of different generations")
            if _pages(page) != self._pages:
                raise ShearedError("the number of pages changed")
            self.fold(page)

    def fold(self, page: Answer) -> None:
        rows, rejected = _ORDERS.read(page.body)
        self.best.fold(rows)
        self.read += len(rows)
        self.rejected += rejected


async def _page(esi: EsiClient, number: int, traffic: Traffic) -> Answer:
    params = {"order_type": "all", "page": str(number)}
    answer = await esi.get(ORDERS_PATH, params=params, traffic=traffic)
    if answer.past_the_end and number > 1:
        raise ShearedError("a page vanished")
    if answer.status != 200:  # noqa: PLR2004
        raise UpstreamRefusedError(answer.status, answer.error())
    return answer


def _generation(page: Answer) -> datetime:
    try:
        return parsedate_to_datetime(page.headers.get("Last-Modified", "")).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UpstreamUnavailableError("orders without Last-Modified cannot be placed in time") from error


def _pages(page: Answer) -> int:
    stated = page.headers.get("X-Pages", "")
    if not stated.isdecimal() or not 1 <= int(stated) <= MOST_PAGES:
        raise UpstreamUnavailableError(f"orders on '{stated}' pages cannot be known to be whole")
    return int(stated)
