"""The simulator's own time: starts somewhere, runs at some speed, can be moved ahead."""

from collections.abc import Callable
from time import monotonic


class SimulatedClock:
    """Seconds since 1970 in the simulated world; never goes back. `ticking` counts the seconds of the real one."""

    def __init__(self, start: float, speed: float, ticking: Callable[[], float] = monotonic) -> None:
        self._base = start
        self._speed = speed
        self.ticking = ticking
        self._since = ticking()

    def now(self) -> float:
        """The simulated present."""
        return self._base + (self.ticking() - self._since) * self._speed

    def advance(self, seconds: float) -> None:
        """Move ahead at once."""
        self._base += seconds

    def set(self, instant: float) -> None:
        """Move ahead to an instant; raises `ValueError` for one that is past."""
        ahead = instant - self.now()
        if ahead < 0:
            raise ValueError("time only goes on")
        self.advance(ahead)

    def run_at(self, speed: float) -> None:
        """Go on from the present at another speed; 0 stands still."""
        self._base, self._since, self._speed = self.now(), self.ticking(), speed
