"""Every upstream request passes here: so many at once, none while ESI wants none, few when errors run out."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from common.logs import get_logger
from ingestor.esi.errors import UpstreamUnavailableError

log = get_logger(__name__)

RESERVE = 10
"""Errors of ESI's budget that we leave unspent, for requests that are under way when it runs low."""
WINDOW_SECONDS = 60.0
"""ESI's error window, where its headers do not say how much of it is left."""
LONGEST_PAUSE_SECONDS = 900.0


class Governor:
    """Concurrency and pauses of one process. Source of the limits: ESI's documents on error limit and rate limit."""

    def __init__(self, concurrency: int) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._paused_until = 0.0
        self._why = ""

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Hold one of the request slots. Raises `UpstreamUnavailableError` during a pause rather than wait in it."""
        async with self._slots:
            left = self._paused_until - time.monotonic()
            if left > 0:
                raise UpstreamUnavailableError(f"paused: {self._why}", timedelta(seconds=left + 0.5))
            yield

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer. Headers that are absent or unreadable leave everything as it is."""
        if status in {420, 429}:
            wait = seconds(headers.get("Retry-After")) or seconds(headers.get("X-Esi-Error-Limit-Reset"))
            self.pause(WINDOW_SECONDS if wait is None else wait, f"ESI answered {status}")
            return
        remain = seconds(headers.get("X-Esi-Error-Limit-Remain"))
        if status >= 400 and remain is not None and remain <= RESERVE:  # noqa: PLR2004 - where HTTP's errors begin
            reset = seconds(headers.get("X-Esi-Error-Limit-Reset"))
            self.pause(WINDOW_SECONDS if reset is None else reset, f"{remain:.0f} errors left in ESI's window")

    def pause(self, wait: float, why: str) -> None:
        """Admit nothing for `wait` seconds; a longer pause that is under way stands."""
        until = time.monotonic() + min(wait, LONGEST_PAUSE_SECONDS)
        if until > self._paused_until:
            self._paused_until, self._why = until, why
            log.warning("upstream paused", seconds=round(wait, 1), why=why)


def seconds(header: str | None) -> float | None:
    """A header's number of seconds (or count), or None for what is absent, negative, infinite or no number."""
    try:
        number = float(header) if header else -1.0
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
