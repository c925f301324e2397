import asyncio
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cli.launch import launched
from cli.process import Process

SCRIPT = Path(__file__).with_name("stand_in.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def read_journal(journal: Path) -> list[str]:
    """Lines of event, name and process id."""
    return journal.read_text().splitlines() if journal.exists() else []


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds; the test's own time limit is the end of patience."""
    while not condition():  # noqa: ASYNC110  # other processes set no event of ours
        await asyncio.sleep(0.02)


def stand_in(
    name: str, journal: Path, word: str = "", *, after: tuple[str, ...] = (), restarts_with: tuple[str, ...] = ()
) -> Process:
    """A row of the process table whose process writes what happens to it into the journal."""

    def command() -> Sequence[str]:
        return launched([sys.executable, "-S", str(SCRIPT), name, str(journal), word])

    async def ready(pid: int) -> bool:
        return word != "fail" and f"started {name} {pid}" in read_journal(journal)

    return Process(name, command, {"PATH": "/usr/bin:/bin"}, ready, after, restarts_with, once=word == "once")
