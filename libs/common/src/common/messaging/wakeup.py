"""Sleeping until PostgreSQL says there is work, with a poll as backstop."""

import asyncio
from typing import Any

CLOCKWORK = "freeport_schedules"
"""NOTIFY on it wakes every clockwork: a schedule or a timer has changed, or somebody asks something of a schedule."""


class Wakeup:
    """Listens to one channel over one asyncpg connection."""

    def __init__(self, connection: Any, channel: str) -> None:
        self._connection = connection
        self._channel = channel
        self._rung = asyncio.Event()

    async def listen(self) -> None:
        await self._connection.add_listener(self._channel, self.ring)
        self._connection.add_termination_listener(self.ring)

    def ring(self, *_: object) -> None:
        """Wake whoever waits."""
        self._rung.set()

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 - a poll's interval, not a deadline
        """Return when notified or after `timeout` seconds. Raises `ConnectionError` when the connection has ended."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            pass
        finally:
            self._rung.clear()
        if self._connection.is_closed():
            raise ConnectionError("the connection that listens has ended")
