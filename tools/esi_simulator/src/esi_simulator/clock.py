"""The simulator's own time: starts somewhere, runs at some speed, can be moved ahead."""

from collections.abc import Callable
from time import monotonic


class SimulatedClock:
    """Seconds since 1970 in the simulated world; never goes back."""

    def __init__(self, start: float, speed: float, ticking: Callable[[], float] = monotonic) -> None:
        self._base = start
        self._speed = speed
        self._ticking = ticking
        self._since = ticking()

    def now(self) -> float:
        """The simulated present."""
        return self._base + (self._ticking() - self._since) * self._speed

    def advance(self, seconds: float) -> None:
        """Move ahead at once."""
        self._base += seconds

    def run_at(self, speed: float) -> None:
        """Go on from the present at another speed; 0 stands still."""
        self._base, self._since, self._speed = self.now(), self._ticking(), speed
