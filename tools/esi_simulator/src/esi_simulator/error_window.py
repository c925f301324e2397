"""ESI's error limit: so many errors in a fixed window, then nothing for anybody until the next one."""

from typing import Final

ALLOWANCE: Final = 100
LENGTH: Final = 60
"""Seconds."""
_FIRST_ERROR: Final = 400


class ErrorWindow:
    """Counts errors; all instants are seconds of the simulator's clock."""

    def __init__(self) -> None:
        self._window = 0
        self._errors = 0

    def remain(self, now: float) -> int:
        """Errors still allowed in this window."""
        self._turn(now)
        return max(0, ALLOWANCE - self._errors)

    @staticmethod
    def reset(now: float) -> int:
        """Whole seconds until the next window, at least 1."""
        return LENGTH - int(now) % LENGTH

    def count(self, status: int, now: float) -> None:
        """Every 4xx and 5xx counts, whoever is at fault."""
        self._turn(now)
        self._errors += status >= _FIRST_ERROR

    def _turn(self, now: float) -> None:
        window = int(now) // LENGTH
        if window != self._window:
            self._window, self._errors = window, 0
