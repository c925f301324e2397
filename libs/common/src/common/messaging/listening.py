"""Waiting for messages without a pause."""

from typing import Any

WAIT_MS = 2_000
"""How long to wait at a time; only to notice that the group has failed."""


async def listen(subscriber: Any) -> None:
    """Start a subscriber of FastStream's that waits until messages come.

    Its own loop sleeps for as long as it has waited in vain, and whatever comes meanwhile has to wait for it.
    """
    await subscriber.start()
    getmany = subscriber.consumer.getmany

    async def until_some(*, timeout_ms: int, max_records: int | None) -> Any:
        del timeout_ms
        while not (found := await getmany(timeout_ms=WAIT_MS, max_records=max_records)):
            pass
        return found

    subscriber.consumer.getmany = until_some
