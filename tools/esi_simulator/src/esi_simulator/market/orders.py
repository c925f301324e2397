"""The regional market beside the contracts: orders around the average prices, as pure functions of seed and instant."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from random import Random
from typing import Any, Final, NamedTuple

from esi_simulator.market.chance import dice, fraction, one_of
from esi_simulator.market.contracts import iso

Row = dict[str, Any]

FIRST_ORDER: Final = 6_800_000_000
MOST_OF_A_TYPE: Final = 16
DAY: Final = 86_400
HISTORY_DAYS: Final = 410
_GOLDEN: Final = 0.618_033_988_749_895
_HOUR: Final = 3600


class Place(NamedTuple):
    """Where an order stands."""

    location_id: int
    system_id: int


class Priced(NamedTuple):
    """A type and its average price in ISK."""

    type_id: int
    price: float


@dataclass(frozen=True)
class OrderBook:
    """All orders of a region; four of five stand at its hub, which is the first of `places`."""

    seed: int
    region_id: int
    places: Sequence[Place]
    traded: Sequence[Priced]
    """Ascending by type."""

    @cached_property
    def type_ids(self) -> list[int]:
        """Types with orders."""
        return [one.type_id for one in self.traded if self.places]

    def orders(self, start: int, end: int, at: int) -> list[Row]:
        """Orders by their place in the book, from `start` to before `end`, as they stand at an instant."""
        if not self.places:
            return []
        first = bisect_right(self._ends, start)
        offset = start - (self._ends[first - 1] if first else 0)
        found: list[Row] = []
        for one in self.traded[first:]:
            if len(found) >= offset + end - start:
                break
            found += self._of_type(one, at)
        return found[offset : offset + end - start]

    def of_type(self, type_id: int, at: int) -> list[Row]:
        """All orders for a type."""
        index = bisect_right(self.type_ids, type_id) - 1
        known = index >= 0 and self.type_ids[index] == type_id
        return list(self._of_type(self.traded[index], at)) if known else []

    @property
    def size(self) -> int:
        """Orders in the book."""
        return self._ends[-1] if self._ends and self.places else 0

    def history(self, type_id: int, until: int) -> list[Row]:
        """One row for each of about 410 days before an instant; nothing for what is not traded."""
        price = dict(self.traded).get(type_id) if self.places else None
        if price is None:
            return []
        days = range(until // DAY - HISTORY_DAYS, until // DAY)
        return [_day(dice(self.seed, self.region_id, type_id, day), day, price) for day in days]

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(_sells(one.type_id) + _buys(one.type_id) for one in self.traded))

    def _of_type(self, one: Priced, at: int) -> Iterator[Row]:
        """Sell orders above the average, buy orders below; prices move from hour to hour, and some ask anything."""
        rng = dice(self.seed, self.region_id, one.type_id)
        level = one.price * dice(self.seed, one.type_id, at // _HOUR).uniform(0.98, 1.02)
        for number in range(_sells(one.type_id)):
            madness = 100.0 if number and rng.random() < 0.05 else 1.0  # noqa: PLR2004 - traps for who averages
            yield self._order(rng, one, number, level * (rng.uniform(1.02, 1.10) + number * 0.1) * madness, at)
        for number in range(_buys(one.type_id)):
            madness = 0.0001 if number and rng.random() < 0.05 else 1.0  # noqa: PLR2004 - likewise
            yield self._order(rng, one, 8 + number, level * (rng.uniform(0.88, 0.97) - number * 0.1) * madness, at)

    def _order(self, rng: Random, one: Priced, number: int, price: float, at: int) -> Row:
        here = self.places[0] if rng.random() < 0.8 else one_of(rng, self.places)  # noqa: PLR2004 - see the class
        total = int(rng.lognormvariate(4, 2)) + 1
        age = int(rng.uniform(0, 80) * DAY)
        left = max(1, int(total * (1 - at // 300 % 97 / 100)))
        return {
            "duration": 90,
            "is_buy_order": number >= MOST_OF_A_TYPE // 2,
            "issued": iso(at // DAY * DAY - age),
            "location_id": here.location_id,
            "min_volume": 1,
            "order_id": FIRST_ORDER + one.type_id * MOST_OF_A_TYPE + number,
            "price": max(0.01, round(price, 2)),
            "range": one_of(rng, ("station", "region", "solarsystem", "5"))
            if number >= MOST_OF_A_TYPE // 2
            else "region",
            "system_id": here.system_id,
            "type_id": one.type_id,
            "volume_remain": left,
            "volume_total": total,
        }


def _sells(type_id: int) -> int:
    """One to three; none for one type in twenty."""
    luck = fraction(type_id, _GOLDEN, 0.1)
    return 0 if luck < 0.05 else 1 + int(luck * 3)  # noqa: PLR2004 - see above


def _buys(type_id: int) -> int:
    """One to three; none for one type in ten."""
    luck = fraction(type_id, _GOLDEN, 0.6)
    return 0 if luck < 0.10 else 1 + int(luck * 3)  # noqa: PLR2004 - see above


def _day(rng: Random, day: int, price: float) -> Row:
    average = price * rng.uniform(0.9, 1.1)
    return {
        "average": round(average, 2),
        "date": iso(day * DAY)[:10],
        "highest": round(average * rng.uniform(1, 1.2), 2),
        "lowest": round(average * rng.uniform(0.8, 1), 2),
        "order_count": rng.randint(1, 500),
        "volume": int(rng.lognormvariate(6, 2)) + 1,
    }
