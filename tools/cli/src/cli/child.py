import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Self

from cli.lifeline import Lifeline
from cli.process import Process

_TAIL_BYTES = 1500


class Child:
    """One run of a process of the table: its own session, its output at the end of its log file."""

    def __init__(self, process: Process, log: Path, lifeline: Lifeline, running: asyncio.subprocess.Process) -> None:
        self.pid = running.pid
        self.end = asyncio.create_task(self._wait())
        """Done when it ended, with its exit status, negative for a signal."""
        self._process = process
        self._log = log
        self._log_began = log.stat().st_size
        self._lifeline = lifeline
        self._running = running

    @classmethod
    async def start(cls, process: Process, log: Path, lifeline: Lifeline) -> Self:
        """Start it; a session of its own keeps the terminal's Ctrl-C away, so that the order of stops is ours."""
        with log.open("ab") as output:
            running = await asyncio.create_subprocess_exec(
                *process.command(),
                env=process.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        lifeline.watch(running.pid, process.stop_signal)
        return cls(process, log, lifeline, running)

    async def stop(self) -> None:
        """Ask it to stop, kill it if it does not in time."""
        with suppress(ProcessLookupError):
            self._running.send_signal(self._process.stop_signal)
        await asyncio.wait({self.end}, timeout=self._process.stop_within)
        if not self.end.done():
            self._kill_group()
            await asyncio.wait({self.end})

    def last_words(self) -> str:
        """The end of what it wrote."""
        with self._log.open("rb") as log:
            size = self._log.stat().st_size
            log.seek(max(min(self._log_began, size), size - _TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()

    async def _wait(self) -> int:
        status = await self._running.wait()
        self._kill_group()  # what it started and left behind
        self._lifeline.forget(self.pid)
        return status

    def _kill_group(self) -> None:
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)


def in_words(status: int) -> str:
    """How a process ended, for people."""
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"
