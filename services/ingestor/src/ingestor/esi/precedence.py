"""What is new goes first: while a list is read and stored, no other request to upstream begins.

Reserved slots are not enough. A backlog keeps the process itself busy, and each step of a sweep would wait for it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONGEST_SECONDS = 3.0
"""That a backlog stands back in one piece; then it goes on, whatever is being discovered."""
EXPECTED_SECONDS = 1.0
"""From a list's expiry to the message of its slot, and from there to its command, on a busy machine."""
EARLY_SECONDS = 0.15
"""In which most of what a backlog has under way is answered and stored."""
TIMER_SECONDS = 0.005
"""By which a loop's timer may come too early, for it counts in milliseconds."""


class Precedence:
    """When a backlog stands back: never for longer in all than it went on, but for the first seconds of that."""

    def __init__(self, over: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        """`over` is called when the backlog may go on, and perhaps once too often."""
        self._over = over
        self._clock = clock
        self._begun = 0.0
        self._until = 0.0
        self._credit = LONGEST_SECONDS
        """For how long it may stand back from `_begun` on."""
        self._discoveries = 0

    def is_given(self) -> bool:
        """Whether a backlog stands back now."""
        return self._clock() < self._until

    def expect(self, seconds: float = EXPECTED_SECONDS) -> None:
        """Something will be discovered within `seconds`."""
        now = self._clock()
        if now >= self._until:
            spent, regained = self._until - self._begun, now - self._until
            self._credit = min(self._credit - spent + regained, LONGEST_SECONDS)
            self._begun = self._until = now
        self._until = max(self._until, min(now + seconds, self._begun + self._credit))
        asyncio.get_running_loop().call_later(self._until - now + TIMER_SECONDS, self._over)

    def foresee(self, seconds: float) -> None:
        """Something may be discovered in `seconds`: by then, what the backlog had under way is done."""
        early = min(seconds, EARLY_SECONDS)
        asyncio.get_running_loop().call_later(seconds - early, self.expect, EXPECTED_SECONDS + early)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Discover within the block: a backlog stands back until it ends."""
        self._discoveries += 1
        self.expect(LONGEST_SECONDS)
        try:
            yield
        finally:
            self._discoveries -= 1
            if not self._discoveries:
                self._until = min(self._until, self._clock())
                self._over()
