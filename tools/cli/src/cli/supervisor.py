import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.errors import StackError
from cli.keeper import Death, Keeper
from cli.lifeline import Lifeline
from cli.process import Process, in_levels, that_restart_with


class Supervisor:
    """Runs a table of processes: starts them in order, restarts what dies, stops them in the reverse order.

    While the stack starts, a process that ends by itself is the end of the start; afterwards it is started again,
    after everything that restarts with it was stopped. Nothing it started outlives it, however it ends.
    Enter it in the main thread: its children die with the thread that started them.
    """

    def __init__(self, table: Sequence[Process], logs: Path, *, say: Callable[[str], None]) -> None:
        self.took: dict[str, float] = {}
        """Seconds from each process's first start until it was ready."""
        self._table = table
        self._logs = logs
        self._say = say
        self._levels = in_levels(table)
        self._keepers: dict[str, Keeper] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._lifeline: Lifeline | None = None
        self._first_death: asyncio.Future[Death] | None = None

    async def __aenter__(self) -> Self:
        self._lifeline = Lifeline()
        for process in (process for level in self._levels for process in level):
            needs = [self._keepers[name] for name in dict.fromkeys((*process.after, *process.restarts_with))]
            self._keepers[process.name] = Keeper(
                process, needs, self._logs, self._lifeline, on_up=self._is_up, on_death=self._died
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything; all is ready on return. Raises StackError with the name and last words of what failed."""
        self._first_death = asyncio.get_running_loop().create_future()
        self._tasks = [asyncio.create_task(keeper.keep()) for keeper in self._keepers.values()]
        all_up = asyncio.create_task(self._all_up())
        try:
            events: set[asyncio.Future[Any]] = {all_up, self._first_death, *self._tasks}
            await asyncio.wait(events, return_when="FIRST_COMPLETED")
            if self._first_death.done():
                death = self._first_death.result()
                raise StackError(f"{death.name} {death.reason}\n{death.last_words}".strip())
            for task in self._tasks:
                if task.done():
                    await task
        finally:
            all_up.cancel()
            self._first_death = None

    async def _all_up(self) -> None:
        for keeper in self._keepers.values():
            await keeper.up.wait()

    async def serve(self) -> None:
        """Keep everything running until cancelled."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Stop everything in the reverse order of the start, within ten seconds for each level of the order."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._in_reverse(self._keepers, lambda keeper: keeper.halt())
        if self._lifeline:
            self._lifeline.close()

    def pid(self, name: str) -> int | None:
        """The process id of a process while it runs."""
        return self._keepers[name].pid

    def is_up(self, name: str) -> bool:
        return self._keepers[name].up.is_set()

    def _is_up(self, name: str, seconds: float) -> None:
        if name in self.took:
            self._say(f"{name} {'ran again' if self._keepers[name].process.once else 'is back'}")
        self.took.setdefault(name, seconds)

    async def _died(self, death: Death) -> None:
        if self._first_death is not None:
            if not self._first_death.done():
                self._first_death.set_result(death)
            return
        others = that_restart_with(death.name, self._table)
        running = [name for name in self._keepers if name in others and self._keepers[name].pid]
        then = f"; stopping {', '.join(running)}, which restart with it" if running else ""
        self._say(f"{death.name} {death.reason}{then}; starting it again in {death.pause:g} s")
        await self._in_reverse(others, lambda keeper: keeper.recall())

    async def _in_reverse(self, names: Collection[str], act: Callable[[Keeper], Awaitable[None]]) -> None:
        for level in reversed(self._levels):
            acts = [act(self._keepers[process.name]) for process in level if process.name in names]
            await asyncio.gather(*acts)
