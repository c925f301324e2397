"""What upstream still grants us, as far as its headers tell. Instants are seconds of a monotonic clock.

Source: ESI's documents on the error limit and the rate limit; esi-issues #1353 on headers that are out of date.
"""

from dataclasses import dataclass

ERRORS_ALLOWED = 100
"""Answers of 400 and above that ESI takes from one address in a window; at none left it answers everybody 420."""
WINDOW_SECONDS = 60.0
"""ESI's error window, where its headers do not say how much of it is left."""


@dataclass(slots=True)
class ErrorBudget:
    """The errors left in ESI's fixed window.

    A header may come from a cache and be out of date, so within a window the lowest number is believed, and the
    window's end is the one that was first heard of.
    """

    remaining: int | None = None
    resets_at: float = 0.0

    def observe(self, remaining: float, resets_in: float | None, now: float) -> None:
        """Learn from an answer's two headers."""
        if self.remaining is None or now >= self.resets_at:
            self.remaining = int(remaining)
            self.resets_at = now + min(WINDOW_SECONDS if resets_in is None else resets_in, WINDOW_SECONDS)
        else:
            self.remaining = min(self.remaining, int(remaining))

    def left(self, now: float) -> int | None:
        """Errors left, or None while nothing is known: then no limit is enforced."""
        if self.remaining is None:
            return None
        return ERRORS_ALLOWED if now >= self.resets_at else self.remaining

    def at_once(self, now: float, *, reserve: int, replicas: int) -> int | None:
        """How many requests may be under way so that even if all of them fail, `reserve` errors stay unspent.

        Every one of `replicas` processes at this address keeps to its part. None means no limit.
        """
        left = self.left(now)
        return None if left is None else max((left - reserve) // replicas, 0)


@dataclass(slots=True)
class TokenBucket:
    """The tokens left in one of ESI's floating windows. They come back one window after they were spent."""

    allowance: int
    window_seconds: float
    remaining: int
    observed_at: float

    def left(self, now: float) -> int:
        """Tokens left; at worst as many as were heard of last, and all of them after a whole window."""
        return self.allowance if now - self.observed_at >= self.window_seconds else self.remaining


def allowance(limit: str) -> tuple[int, float] | None:
    """`X-Ratelimit-Limit` as tokens and seconds: `12000/15m` is (12000, 900.0); None for what says nothing."""
    tokens, _, window = limit.partition("/")
    factor = {"s": 1.0, "m": 60.0, "h": 3600.0}.get(window[-1:])
    if factor is None or not tokens.isdecimal() or not window[:-1].isdecimal():
        return None
    seconds = int(window[:-1]) * factor
    return (int(tokens), seconds) if int(tokens) > 0 and seconds > 0 else None
