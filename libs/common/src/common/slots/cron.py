"""The slots of a cron schedule, which keeps the time of a zone's clocks.

A slot comes at the first instant at which the zone's clocks show its time or a later one. So one that clocks leap over
in spring comes as they have leapt, several such come as one, and one that they show twice in autumn comes the first
time only.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

SECOND = timedelta(seconds=1)
_ANY = datetime(2000, 1, 1)  # noqa: DTZ001 - what clocks show, which is an instant only with a zone
_LAST_YEAR = 9900
"""What is asked for beyond it has no slots, so that walking there ends before the calendar does."""


class CronError(ValueError):
    """The expression is none; the text says why."""


@dataclass(frozen=True, slots=True)
class Cron:
    """Five fields as in crontab(5), or six with the seconds first. Raises `CronError` when it is made of anything else.

    Names, ranges, steps, lists, `L`, `LW`, `5L` and `MON#2` mean what they mean in Debian's cron and Quartz; if both
    days are restricted, one of them is enough.
    """

    expression: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        _parsed(self.expression)

    def at_or_after(self, moment: datetime) -> datetime | None:
        """The first slot that is not before `moment`; None if there is none in fifty years."""
        return self.after(moment - timedelta(microseconds=1))

    def after(self, moment: datetime) -> datetime | None:
        """The first slot later than `moment`; None if there is none in fifty years."""
        return next(self._later_than(moment), None)

    def between(self, first: datetime, until: datetime, *, at_most: int) -> list[datetime]:
        """The slots from `first` to `until`, both included; of more than `at_most` the oldest."""
        ahead = takewhile(lambda slot: slot <= until, self._later_than(first - timedelta(microseconds=1)))
        return list(islice(ahead, at_most))

    def _later_than(self, moment: datetime) -> Iterator[datetime]:
        shown = moment.astimezone(self.zone).replace(tzinfo=None, fold=0)
        if shown.year > _LAST_YEAR:
            return
        newest = moment
        for wall in _walk(self.expression, shown):
            slot = _first_shown(wall, self.zone)
            if slot > newest:
                newest = slot
                yield slot


def _walk(expression: str, shown: datetime) -> Iterator[datetime]:
    """The times later than `shown` that clocks show when the expression matches."""
    walk = copy.copy(_parsed(expression))
    walk.dt = shown.replace(microsecond=0)
    return takewhile(lambda wall: wall.year <= _LAST_YEAR, walk)


@lru_cache(maxsize=10_000)
def _parsed(expression: str) -> CronSim:
    try:
        return CronSim(expression, _ANY)
    except CronSimError as error:
        wrong = str(error)
        raise CronError(wrong[:1].lower() + wrong[1:]) from None


def _first_shown(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the zone's clocks show `wall` or a later time."""
    aware = wall.replace(tzinfo=zone)
    instant = aware.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return instant
    # Clocks leapt over it. Read with the offset of before the leap, the instant lies behind it; with the other, before.
    before = aware.replace(fold=1).astimezone(UTC)
    while instant - before > SECOND:
        middle = before + (instant - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).replace(tzinfo=None, fold=0) >= wall:
            instant = middle
        else:
            before = middle
    return instant
