"""The slots of an interval schedule: the epoch, plus an offset, plus whole multiples of the interval."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Interval:
    """Elapsed time, so daylight saving does not touch it."""

    every: timedelta
    offset: timedelta

    def at_or_after(self, moment: datetime) -> datetime:
        """The first slot that is not before `moment`."""
        behind = (moment - EPOCH - self.offset) % self.every
        return moment if not behind else moment + self.every - behind

    def after(self, moment: datetime) -> datetime:
        """The first slot later than `moment`."""
        return self.at_or_after(moment + timedelta(microseconds=1))

    def between(self, first: datetime, until: datetime, *, at_most: int) -> list[datetime]:
        """The slots from `first` to `until`, both included; of more than `at_most` the oldest."""
        start = self.at_or_after(first)
        count = min(max((until - start) // self.every + 1, 0), at_most)
        return [start + number * self.every for number in range(count)]


def first_now(every: timedelta, moment: datetime) -> Interval:
    """The interval whose slots begin with the second of `moment`: a new schedule acts at once."""
    return Interval(every, (moment.replace(microsecond=0) - EPOCH) % every)
