"""Processes that end in the middle of a transaction, without ending this one."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


class KilledError(Exception):
    """The process is gone."""


@contextmanager
def killed_after(engine: AsyncEngine, statements: int) -> Iterator[None]:
    """Raise KilledError right after so many statements of `engine`, in whatever transaction that is."""
    left = [statements]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError

    event.listen(engine.sync_engine, "after_cursor_execute", count)
    try:
        yield
    finally:
        event.remove(engine.sync_engine, "after_cursor_execute", count)
