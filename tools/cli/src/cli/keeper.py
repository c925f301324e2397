import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.child import Child, in_words
from cli.errors import StackError
from cli.lifeline import Lifeline
from cli.process import Process

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
_STEADY = 30.0
_ASK_EVERY = 0.05


@dataclass(frozen=True)
class Death:
    """A process ended by itself, or could not start; it is started again after the pause, in seconds."""

    name: str
    reason: str
    last_words: str
    pause: float


class Keeper:
    """Keeps one process of the table running: starts it when what it needs is up, again when it dies, backing off."""

    def __init__(
        self,
        process: Process,
        needs: Sequence["Keeper"],
        logs: Path,
        lifeline: Lifeline,
        *,
        on_up: Callable[[str, float], None],
        on_death: Callable[[Death], Awaitable[None]],
    ) -> None:
        self.process = process
        self.up = asyncio.Event()
        self._needs = needs
        self._log = logs / f"{process.name}.log"
        self._lifeline = lifeline
        self._on_up = on_up
        self._on_death = on_death
        self._recalled = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._child: Child | None = None
        self._failures = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child and not self._child.end.done() else None

    async def keep(self) -> None:
        """Run the process for ever."""
        while True:
            await self._wait_for_needs()
            began = time.monotonic()
            reason = await self._live()
            if reason is not None:
                await self._mourn(reason, time.monotonic() - began)
            self._child = None

    async def recall(self) -> None:
        """Stop the process because one that it restarts with went down; `keep` starts it when that one is back."""
        self._recalled.set()
        await self._idle.wait()

    async def halt(self) -> None:
        """Stop the process for good; `keep` must not run any more."""
        self.up.clear()
        if self._child:
            await self._child.stop()

    async def _wait_for_needs(self) -> None:
        while not all(other.up.is_set() for other in self._needs):
            for other in self._needs:
                await other.up.wait()

    async def _live(self) -> str | None:
        """Run the process once. Returns why it ended, None if it was recalled."""
        self._recalled.clear()
        self._idle.clear()
        recall = asyncio.create_task(self._recalled.wait())
        try:
            began = time.monotonic()
            if self.process.prepare:
                await asyncio.to_thread(self.process.prepare)
            self._child = await Child.start(self.process, self._log, self._lifeline)
            return await self._attend(self._child, recall, began)
        except (StackError, OSError) as error:
            return f"cannot start: {error}"
        finally:
            recall.cancel()
            self.up.clear()
            self._idle.set()

    async def _attend(self, child: Child, recall: "asyncio.Task[bool]", began: float) -> str | None:
        if await self._comes_up(child, recall):
            self.up.set()
            self._on_up(self.process.name, time.monotonic() - began)
            over = {recall} if self.process.once else {recall, child.end}
            await asyncio.wait(over, return_when="FIRST_COMPLETED")
        if recall.done():
            await child.stop()
            return None
        if child.end.done():
            return in_words(child.end.result())
        await child.stop()
        return f"was not ready within {self.process.ready_within:.0f} s"

    async def _comes_up(self, child: Child, recall: "asyncio.Task[bool]") -> bool:
        deadline = time.monotonic() + self.process.ready_within
        while time.monotonic() < deadline:
            await asyncio.wait({recall, child.end}, timeout=_ASK_EVERY, return_when="FIRST_COMPLETED")
            if recall.done():
                return False
            if child.end.done():
                return self.process.once and child.end.result() == 0
            if not self.process.once and await self.process.ready(child.pid):
                return True
        return False

    async def _mourn(self, reason: str, lived: float) -> None:
        self._failures = 1 if lived > _STEADY else self._failures + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures - 1))
        last_words = self._child.last_words() if self._child else ""
        await self._on_death(Death(self.process.name, reason, last_words, pause))
        await asyncio.sleep(pause)
