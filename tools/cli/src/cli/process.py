import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic_settings import BaseSettings


async def at_once(_pid: int) -> bool:
    """The readiness of a process that nobody has to wait for."""
    return True


@dataclass(frozen=True)
class Process:
    """One row of the table that the supervisor runs.

    It starts when everything in `after` is ready, and starts anew whenever one of `restarts_with` does. A process that
    runs `once` is ready when it ended with status 0.
    """

    name: str
    command: Callable[[], Sequence[str]]
    """Makes the command line for one start, in the process and thread that start it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[int], Awaitable[bool]] = at_once
    """Whether the process with this id does its work; asked until it says yes."""
    after: tuple[str, ...] = ()
    restarts_with: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    """What must be done before each start; may block, may raise StackError."""
    once: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    ready_within: float = 90.0
    stop_within: float = 10.0
    """Seconds after which it is killed instead of asked."""
    settings: type[BaseSettings] | None = None
    """What it reads of its environment; None for what is not ours."""


def in_levels(table: Sequence[Process]) -> list[list[Process]]:
    """The order of starts: every process stands in a later list than what it starts after."""
    levels: list[list[Process]] = []
    placed: set[str] = set()
    waiting = list(table)
    while waiting:
        level = [process for process in waiting if placed.issuperset((*process.after, *process.restarts_with))]
        if not level:
            raise ValueError(f"these wait for each other or for none: {', '.join(each.name for each in waiting)}")
        levels.append(level)
        placed.update(process.name for process in level)
        waiting = [process for process in waiting if process.name not in placed]
    return levels


def that_restart_with(name: str, table: Sequence[Process]) -> set[str]:
    """Everything that has to start anew when this one does, directly or through others."""
    found: set[str] = set()
    wave = {name}
    while wave:
        wave = {process.name for process in table if wave.intersection(process.restarts_with)} - found
        found |= wave
    return found
