"""The best prices among a market's orders, folded page by page: what was read is not kept."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from ingestor.domain.listing import LARGEST_AMOUNT
from ingestor.esi.models import MarketOrder

THE_FORGE, JITA = 10000002, 30000142
"""The region of the largest market, and the system in it where that market is."""
CALDARI_NAVY_ASSEMBLY_PLANT = 60003760
"""Jita IV - Moon 4."""

CENT = Decimal("0.01")


class Best(NamedTuple):
    """ISK for one piece, to the cent; None where there is no such order."""

    buy: Decimal | None
    sell: Decimal | None


class BestOrders:
    """Of each type the lowest sell and the highest buy order that one can trade with at Jita IV - Moon 4.

    Sell orders count where they are: at that station. Buy orders count if they are there too, if they are elsewhere in
    Jita and reach beyond their own station, or if they reach all of The Forge. Not counted, for want of a map of jumps:
    those that reach a number of jumps from another system. Nor those that take no single piece (`min_volume` above 1):
    they are baits, or for bulk.
    """

    def __init__(self) -> None:
        self._buys: dict[int, Decimal] = {}
        self._sells: dict[int, Decimal] = {}

    def fold(self, orders: Iterable[MarketOrder]) -> None:
        """Take in a page."""
        buys, sells = self._buys, self._sells
        for order in orders:
            price = order.price
            if not _believable(price):
                continue
            if order.is_buy_order:
                if _reaches(order) and price > buys.get(order.type_id, 0):
                    buys[order.type_id] = price
            elif order.location_id == CALDARI_NAVY_ASSEMBLY_PLANT:
                best = sells.get(order.type_id)
                if best is None or price < best:
                    sells[order.type_id] = price

    def found(self) -> dict[int, Best]:
        """The best of each type that has any order of those that count, ascending by type."""
        return {
            type_id: Best(cents(self._buys.get(type_id)), cents(self._sells.get(type_id)))
            for type_id in sorted(self._buys.keys() | self._sells.keys())
        }


def cents(amount: Decimal | None) -> Decimal | None:
    """The amount as a column holds it; None for one that is nobody's price."""
    return amount.quantize(CENT) if amount is not None and _believable(amount) else None


def _believable(amount: Decimal) -> bool:
    return amount.is_finite() and CENT <= amount <= LARGEST_AMOUNT


def _reaches(order: MarketOrder) -> bool:
    if order.min_volume > 1:
        return False
    if order.location_id == CALDARI_NAVY_ASSEMBLY_PLANT or order.range == "region":
        return True
    return order.system_id == JITA and order.range != "station"
