"""When contracts are born, how long they live, how they end: arithmetic, so any instant is reached directly.

Births of a region are numbered and come at an even pace with some jitter, each in a second of its own (seconds are
dealt to the regions in turn), and a contract's id counts those seconds: ids are unique over regions and ascend with
birth.
How long a contract lives is drawn so that the population is steady at the region's size: many are gone within the hour,
most of those that stand at any moment are days old, a few reach their expiry after 28 days.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from esi_simulator.market.chance import dice, fraction

EPOCH: Final = 1_767_225_600
"""2026-01-01T00:00:00Z: birth numbers and ids count from here."""
ID_AT_EPOCH: Final = 208_000_000
"""Makes ids of late 2026 about 236 million, as the game's were."""

HOUR: Final = 3600
DAY: Final = 24 * HOUR
LONGEST: Final = 28 * DAY
FIRST_ID: Final = ID_AT_EPOCH - 400 * DAY
"""Below it nothing was ever generated; the recorded ids are."""

FORGE_BIRTHS: Final = 230 / 34_000
"""New contracts per hour and contract: The Forge, measured in 2026."""
LEAST_BIRTHS: Final = 60
"""New contracts per hour at least, so that every region changes every minute however small it is."""

AUCTIONS: Final = 0.022
"""Of those born; they live shorter than others, so about 1.5 % of those that stand."""
COURIERS: Final = 0.005
HOARDS: Final = 3
"""Contracts with more than a page of items that stand in a region at a time."""

_GOLDEN: Final = 0.618_033_988_749_895
_SILVER: Final = 0.414_213_562_373_095


class Birth(NamedTuple):
    """One contract's dates, as seconds since 1970, and its kind."""

    number: int
    contract_id: int
    type: str
    born: int
    gone: float
    expires: int
    accepted: bool
    hoard: bool
    kind: str | None = None
    """What its bundle is to be; None leaves that to luck."""


def turn_of(contract_id: int, turns: int) -> int:
    """Whose second that id is: the place of its region among all."""
    return (contract_id - ID_AT_EPOCH) % turns


@dataclass(frozen=True)
class Schedule:
    """The births and deaths of one region; `turn` is its place among the `turns` regions that share the seconds."""

    seed: int
    region_id: int
    size: int
    turn: int
    turns: int

    @cached_property
    def interval(self) -> float:
        """Seconds between births on average; never fewer than the regions that share them."""
        per_hour = max(LEAST_BIRTHS, self.size * FORGE_BIRTHS)
        return max(HOUR / per_hour, float(self.turns))

    def alive(self, at: float) -> Iterator[Birth]:
        """Who stands on the market at an instant, ascending by id."""
        if self.size == 0:
            return
        first = int((at - EPOCH - LONGEST) / self.interval) - 1
        last = int((at - EPOCH) / self.interval) + 2
        for start in range(first, last, _BLOCK):
            for number in self._lucky_enough(at, start, min(start + _BLOCK, last)):
                born = EPOCH + self._second(number)
                if born <= at < born + self._lifetime(number):
                    yield self.birth(number)

    def born_between(self, after: float, until: float) -> Iterator[Birth]:
        """Who came to the market later than `after` and not later than `until`, ascending, dead or alive by now."""
        if self.size == 0:
            return
        for number in range(int((after - EPOCH) / self.interval) - 1, int((until - EPOCH) / self.interval) + 2):
            if after < EPOCH + self._second(number) <= until:
                yield self.birth(number)

    def birth(self, number: int) -> Birth:
        """All of one contract's dates."""
        second = self._second(number)
        kind = self._kind(number)
        born = EPOCH + second
        duration = self._duration(kind)
        return Birth(
            number=number,
            contract_id=ID_AT_EPOCH + second,
            type=_type(kind),
            born=born,
            gone=born + self._lifetime(number),
            expires=born + duration,
            accepted=fraction(number, _SILVER * _GOLDEN, self._offsets[2]) < 0.75,  # noqa: PLR2004 - three of four sell
            hoard=self.size >= 100 and self._luck(number) > self._hoard_luck,  # noqa: PLR2004 - no room in a tiny market
        )

    def find(self, contract_id: int) -> Birth | None:
        """The contract of that id, whenever it lives; None where this region never has it."""
        second = contract_id - ID_AT_EPOCH
        if self.size == 0 or contract_id < FIRST_ID or turn_of(contract_id, self.turns) != self.turn:
            return None
        near = int(second // self.interval)
        for number in (near, near - 1, near + 1, near - 2, near + 2):
            if self._second(number) == second:
                return self.birth(number)
        return None

    def _lucky_enough(self, at: float, start: int, end: int) -> list[int]:
        """A cheap first sieve: who of a block could still live, were it as young as the block's youngest."""
        age = at - EPOCH - (end + 1) * self.interval
        least = max(0.0, (age - 1.5 * self._short) / _STRETCH) ** (1 / self._skew)
        offset = self._offsets[0]
        return [number for number in range(start, end) if (number * _GOLDEN + offset) % 1.0 >= least]

    def _second(self, number: int) -> int:
        slack = self.interval - self.turns
        beat = number * self.interval + slack * fraction(number, _SILVER, self._offsets[3])
        return int(beat // self.turns) * self.turns + self.turn

    def _lifetime(self, number: int) -> float:
        short = self._short * (0.5 + fraction(number, _SILVER, self._offsets[4]))
        long: float = _STRETCH * self._luck(number) ** self._skew
        return min(short + long, self._duration(self._kind(number)))

    def _luck(self, number: int) -> float:
        return fraction(number, _GOLDEN, self._offsets[0])

    def _kind(self, number: int) -> float:
        return fraction(number, _SILVER, self._offsets[1])

    @staticmethod
    def _duration(kind: float) -> int:
        """Seconds until expiry, as offered by the game; 28 days nearly always."""
        if kind < AUCTIONS:
            return _AUCTION_DURATIONS[int(kind / AUCTIONS * len(_AUCTION_DURATIONS))]
        if kind > 0.988:  # noqa: PLR2004 - 98.8 % of the recorded contracts ran for 28 days
            return 14 * DAY
        return LONGEST - 1 if kind > 0.9 else LONGEST  # noqa: PLR2004 - a second is lost now and then, as recorded

    @cached_property
    def _offsets(self) -> tuple[float, ...]:
        rng = dice(self.seed, self.region_id)
        return tuple(rng.random() for _ in range(5))

    @cached_property
    def _short(self) -> float:
        return min(float(HOUR), self._mean_life / 2)

    @cached_property
    def _mean_life(self) -> float:
        """By Little's law: population is births times lifetime."""
        return min(self.size * self.interval, LONGEST * 0.9)

    @cached_property
    def _skew(self) -> float:
        """The exponent that gives lifetimes the wanted mean, found by halving."""
        wanted = self._mean_life - self._short
        low, high = 0.01, 1e6
        for _ in range(60):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if _mean_stretch(middle) > wanted else (low, middle)
        return low

    @cached_property
    def _hoard_luck(self) -> float:
        """Luck above this means: stands for the whole 28 days, and is one of the few with very many items."""
        return 1 - HOARDS * self.interval / LONGEST


_STRETCH: Final = 30 * DAY
_BLOCK: Final = 64
_AUCTION_DURATIONS: Final = (DAY, 3 * DAY, 7 * DAY, 14 * DAY)


def _mean_stretch(skew: float) -> float:
    """The mean of min(_STRETCH * u^skew, LONGEST) over u in [0, 1)."""
    cut: float = (LONGEST / _STRETCH) ** (1 / skew)
    below: float = _STRETCH * cut ** (skew + 1) / (skew + 1)
    return below + LONGEST * (1 - cut)


def _type(kind: float) -> str:
    if kind < AUCTIONS:
        return "auction"
    return "courier" if kind < AUCTIONS + COURIERS else "item_exchange"
