from typing import Any, Final

from esi_simulator.clock import SimulatedClock
from esi_simulator.errors import EsiError, no_such_page, not_found
from esi_simulator.exchange import LONGEST_NUMBER, Document, Reply, Request, to_json
from esi_simulator.ground import Ground
from esi_simulator.lists import USUAL_SIZE
from esi_simulator.market.orders import OrderBook, Place, Priced
from esi_simulator.market.places import HUBS
from esi_simulator.routes.universe import static_reply

ORDERS_TTL: Final = 300
TYPES_TTL: Final = 600
ORDER_TYPES: Final = frozenset({"all", "buy", "sell"})


class MarketRoutes:
    """The regional markets; only the trade hubs' regions have orders."""

    def __init__(self, ground: Ground, clock: SimulatedClock, *, seed: int, size: int) -> None:
        self._ground = ground
        self._clock = clock
        self._seed = seed
        self._size = size
        self._books: dict[int, OrderBook] = {}
        self._kept: dict[tuple[int, int], tuple[int, Document]] = {}

    def orders(self, request: Request, region_id: int) -> Reply:
        """A page of all orders; or those for one type, of both sides or one, as the specification has it."""
        book = self._book(region_id)
        side = request.parameter("order_type") or "all"
        if side not in ORDER_TYPES:
            raise EsiError(400, "order_type must be one of: all, buy, sell")
        type_id, number = _type_id(request), request.page()
        at = self._cached_at(region_id, ORDERS_TTL)
        if type_id is not None:
            found = [
                row for row in book.of_type(type_id, at) if side == "all" or row["is_buy_order"] == (side == "buy")
            ]
            if number > 1:
                raise no_such_page()
            return Reply(200, Document(to_json(found)), at, at + ORDERS_TTL, 1)
        pages = max(1, -(-book.size // self._size))
        if number > pages:
            raise no_such_page()
        return Reply(200, self._page(book, number, at), at, at + ORDERS_TTL, pages)

    def types(self, request: Request, region_id: int) -> Reply:
        """Ids of types with orders."""
        ids, number = self._book(region_id).type_ids, request.page()
        pages = max(1, -(-len(ids) // USUAL_SIZE))
        if number > pages:
            raise no_such_page()
        at = self._cached_at(region_id, TYPES_TTL)
        document = Document(to_json(ids[(number - 1) * USUAL_SIZE : number * USUAL_SIZE]))
        return Reply(200, document, at, at + TYPES_TTL, pages)

    def history(self, request: Request, region_id: int) -> Reply:
        """A type's days; published at each downtime."""
        type_id = _type_id(request)
        if type_id is None:
            raise EsiError(400, "type_id is required")
        if type_id not in self._ground.atlas.types:
            raise EsiError(404, "Type not found!")
        now = self._clock.now()
        return static_reply(request, self._book(region_id).history(type_id, int(now)), now)

    def _page(self, book: OrderBook, number: int, at: int) -> Document:
        """Made once for each cached instant."""
        key = (book.region_id, number)
        made, document = self._kept.get(key, (0, None))
        if document is None or made != at:
            rows: list[dict[str, Any]] = book.orders((number - 1) * self._size, number * self._size, at)
            document = Document(to_json(rows))
            self._kept[key] = (at, document)
        return document

    def _book(self, region_id: int) -> OrderBook:
        if region_id not in self._ground.atlas.regions:
            raise not_found("Region")
        if region_id not in self._books:
            self._books[region_id] = OrderBook(self._seed, region_id, self._places(region_id), self._traded())
        return self._books[region_id]

    def _places(self, region_id: int) -> list[Place]:
        """The hub before the region's other stations."""
        if region_id not in HUBS:
            return []
        stations = sorted(self._ground.stations[region_id], key=lambda one: one.station_id != HUBS[region_id])
        return [Place(station.station_id, station.system_id) for station in stations]

    def _traded(self) -> list[Priced]:
        return [
            Priced(item.type_id, item.average_price)
            for item in self._ground.atlas.types.values()
            if item.average_price and item.market_group_id is not None
        ]

    def _cached_at(self, region_id: int, ttl: int) -> int:
        """When this region's orders were cached: its own phase of the TTL."""
        now = int(self._clock.now())
        return now - (now + region_id) % ttl


def _type_id(request: Request) -> int | None:
    text = request.parameter("type_id")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
        raise EsiError(400, "type_id must be an integer")
    return int(text)
