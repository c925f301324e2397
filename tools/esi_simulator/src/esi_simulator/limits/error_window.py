"""ESI's error limit: so many errors in a fixed window, then nothing for anybody until the next one."""

from typing import Final

from esi_simulator.exchange import Header

ALLOWANCE: Final = 100
_FIRST_ERROR: Final = 400


class ErrorWindow:
    """Counts errors; all instants are seconds of the simulator's clock, and so is a window's length."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._window = 0
        self._errors = 0

    def remain(self, now: float) -> int:
        """Errors still allowed in this window."""
        self._turn(now)
        return max(0, ALLOWANCE - self._errors)

    def reset(self, now: float) -> int:
        """Whole seconds until the next window, at least 1."""
        return self._length - int(now) % self._length

    def ends(self, now: float) -> int:
        """The instant at which the next window begins."""
        return int(now) + self.reset(now)

    def count(self, status: int, now: float) -> None:
        """Every 4xx and 5xx counts, whoever is at fault."""
        if status >= _FIRST_ERROR:
            self.spend(1, now)

    def spend(self, errors: int, now: float) -> None:
        """So many errors, by whoever asks from this address."""
        self._turn(now)
        self._errors += errors

    def headers(self, now: float) -> tuple[Header, ...]:
        """What every answer of a route without tokens says of it."""
        return (
            (b"x-esi-error-limit-remain", b"%d" % self.remain(now)),
            (b"x-esi-error-limit-reset", b"%d" % self.reset(now)),
        )

    def headers_of_old(self, then: float) -> tuple[Header, ...]:
        """What an answer cached at an instant goes on saying: the allowance that stood then (esi-issues #1353)."""
        return (
            (b"x-esi-error-limit-remain", b"%d" % ALLOWANCE),
            (b"x-esi-error-limit-reset", b"%d" % self.reset(then)),
        )

    def _turn(self, now: float) -> None:
        window = int(now) // self._length
        if window != self._window:
            self._window, self._errors = window, 0
