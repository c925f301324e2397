"""What a contract's offer is worth at the market: in all, line by line, and only as far as it can be told.

The same rules stand in `stores/valuing.py` for all contracts at once; a test holds the two to each other.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from ingestor.domain.summary import TypeFacts, is_copy
from ingestor.esi.models import PublicItem

LARGEST_VALUE = Decimal("999999999999999999.99")
"""ISK; the column holds no more, and no amount in the game comes near."""
NOISE = Decimal("0.001")
"""The part of a value by which it may be out of date: prices move by the minute, and each move is not worth a write."""


class Price(NamedTuple):
    """What one piece of a type costs, in ISK: the best orders at the hub, and the average of all New Eden."""

    buy: Decimal | None
    sell: Decimal | None
    average: Decimal | None


class Valuation(NamedTuple):
    """What is offered is worth this, in ISK, with `lines_priced` of its `lines` counted; None where none is.

    `sell`: bought piece by piece at the best sell orders. `buy`: sold at once at the best buy orders; a line nobody
    bids for adds nothing, so it is what one gets at least. `average`: at the averages. A line counts when its sell
    price or its average is known, and then the one stands in for the other.
    """

    buy: Decimal | None
    sell: Decimal | None
    average: Decimal | None
    lines: int
    lines_priced: int


def value(items: Sequence[PublicItem], facts: Mapping[int, TypeFacts], prices: Mapping[int, Price]) -> Valuation:
    """The value of what `items` offer; `facts` knows all their types, `prices` some.

    A blueprint's copy or an abyssal item is no piece of what the market trades as its type, and is never priced so.
    """
    buys: list[Decimal] = []
    sells: list[Decimal] = []
    averages: list[Decimal] = []
    lines = 0
    for item in items:
        if not item.is_included:
            continue
        lines += 1
        price = prices.get(item.type_id)
        if price is None or item.quantity <= 0 or is_copy(item) or facts[item.type_id].is_dynamic:
            continue
        sell = price.average if price.sell is None else price.sell
        if sell is None:
            continue
        average = sell if price.average is None else price.average
        sells.append(sell * item.quantity)
        averages.append(average * item.quantity)
        if price.buy is not None:
            buys.append(price.buy * item.quantity)
    return Valuation(_total(buys), _total(sells), _total(averages), lines, len(sells))


def moved(stored: Valuation, now: Valuation) -> bool:
    """Whether `now` is worth to be written over `stored`."""
    return stored[3:] != now[3:] or any(_apart(was, new) for was, new in zip(stored[:3], now[:3], strict=True))


def _total(amounts: Sequence[Decimal]) -> Decimal | None:
    """Exact below the largest value, which is also what anything above it comes to."""
    return min(sum(amounts, Decimal()), LARGEST_VALUE) if amounts else None


def _apart(was: Decimal | None, new: Decimal | None) -> bool:
    if was is None or new is None:
        return was is not new
    return abs(new - was) > was * NOISE
