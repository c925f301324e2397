from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Once:
    """One slot, and none after it."""

    at: datetime

    def at_or_after(self, moment: datetime) -> datetime | None:
        """The slot, unless it is over at `moment`."""
        return self.at if moment <= self.at else None

    def after(self, moment: datetime) -> datetime | None:
        """The slot, if it is later than `moment`."""
        return self.at if moment < self.at else None

    def between(self, first: datetime, until: datetime, *, at_most: int) -> list[datetime]:
        """The slot, if it lies from `first` to `until`, both included."""
        return [self.at][:at_most] if first <= self.at <= until else []
