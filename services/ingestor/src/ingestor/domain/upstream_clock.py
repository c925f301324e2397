"""Upstream's clock, told to the millisecond by headers that only know seconds."""

from dataclasses import dataclass

DRIFT = 1e-4
"""Seconds in a second that two clocks may drift apart; a bad crystal does no worse than a tenth of it."""


@dataclass(slots=True)
class UpstreamClock:
    """How far upstream's clock is ahead of ours: at least `low`, at most `high` seconds; None before any answer.

    An answer's `Date` is upstream's time with the fraction cut off, at some moment between our request and its answer.
    Every answer narrows the bounds, most of all one that was given just after a second began.
    """

    low: float | None = None
    high: float | None = None
    _observed_at: float = 0.0

    def observe(self, date: float, *, sent: float, received: float) -> None:
        """Learn from an answer: its `Date` in seconds since 1970; ours on any clock of ours."""
        low, high = date - received, date + 1 - sent
        if self.low is not None and self.high is not None:
            worn = max(received - self._observed_at, 0.0) * DRIFT
            low, high = max(low, self.low - worn), min(high, self.high + worn)
        if low > high:  # one of the clocks was set
            low, high = date - received, date + 1 - sent
        self.low, self.high, self._observed_at = low, high, received

    def left(self, until: float, now: float) -> float:
        """Seconds of ours until upstream's clock has surely reached `until`; never negative."""
        return max(until - now - (self.low or 0.0), 0.0)
