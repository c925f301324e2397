from dataclasses import dataclass
from datetime import datetime, timedelta

from common.slots.cron import Cron
from common.slots.interval import Interval
from common.slots.once import Once

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Slots:
    """All slots of a schedule: those of its timing that are not before `start` and come before `end`."""

    timing: Interval | Cron | Once
    start: datetime | None = None
    end: datetime | None = None

    def at_or_after(self, moment: datetime) -> datetime | None:
        """The first slot that is not before `moment`; None if there is none any more."""
        slot = self.timing.at_or_after(moment if self.start is None else max(moment, self.start))
        return None if slot is None or (self.end is not None and slot >= self.end) else slot

    def after(self, moment: datetime) -> datetime | None:
        """The first slot later than `moment`; None if there is none any more."""
        return self.at_or_after(moment + _TICK)

    def between(self, first: datetime, until: datetime, *, at_most: int) -> list[datetime]:
        """The slots from `first` to `until`, both included; of more than `at_most` the oldest."""
        first = first if self.start is None else max(first, self.start)
        until = until if self.end is None else min(until, self.end - _TICK)
        return self.timing.between(first, until, at_most=at_most)
