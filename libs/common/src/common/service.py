"""Running a service: its tasks live together, stop together, and one that fails ends the process."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from common.errors import FreeportError
from common.logs import get_logger

log = get_logger(__name__)


def run(serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `serve` until it ends or SIGTERM or SIGINT comes.

    Exits 0 after a signal, 1 when it fails: whoever supervises the process starts it again.
    """
    try:
        uvloop.run(_until_signalled(serve))
    except FreeportError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


async def together(*tasks: Awaitable[None]) -> None:
    """Run `tasks` side by side; the first to fail ends them all and its error is raised."""
    running = [asyncio.ensure_future(task) for task in tasks]
    try:
        await asyncio.gather(*running)
    finally:
        for task in running:
            if not task.cancelling():  # a second cancellation would break into the clean-up that the first began
                task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _until_signalled(serve: Callable[[], Coroutine[Any, Any, None]]) -> None:
    service = asyncio.ensure_future(serve())
    loop = asyncio.get_running_loop()
    signalled = False

    def stop() -> None:
        nonlocal signalled
        if not signalled:  # a second signal must not break into the clean-up that the first began
            signalled = True
            service.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await service
    except asyncio.CancelledError:
        if not signalled:
            raise
        log.info("stopped")
