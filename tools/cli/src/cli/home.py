"""The one directory that holds what the local stack stores, and who may use it."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cli.errors import StackError

CONTENTS = ("postgres", "postgres.new", "live", "logs", "api-key", "api-key.new", "lock")
"""What the stack puts there; `clean` removes nothing else."""


@contextmanager
def locked(home: Path) -> Iterator[bool]:
    """Make the directory and hold it alone; gives whether its last holder was killed and may still be letting go.

    Raises StackError if the directory cannot be written or another stack holds it.
    """
    _make(home)
    with (home / "lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"Freeport already runs on {home} (process {holder(home)}). Stop it first,"
                " or set FREEPORT_HOME and the ports (FREEPORT_POSTGRES_PORT, FREEPORT_KAFKA_PORT, FREEPORT_ESI_PORT,"
                " API_PORT) for a second one."
            ) from None
        was_killed = lock.tell() > 0
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield was_killed
        finally:
            lock.truncate(0)


def holder(home: Path) -> str | None:
    """The process that holds the directory, None if nobody does."""
    with suppress(FileNotFoundError), (home / "lock").open(encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return lock.read() or "unknown"
    return None


def clean(home: Path) -> list[Path]:
    """Remove what the stack stored, and the directory if nothing else is in it. Returns what was removed."""
    if not home.exists():
        return []
    with locked(home):
        removed = [home / name for name in CONTENTS if (home / name).exists()]
        for path in removed:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    with suppress(OSError):
        home.rmdir()
    return [path for path in removed if path.name != "lock"]


def _make(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / "logs").mkdir(exist_ok=True)
        with (home / "lock").open("a"):
            pass
    except OSError as error:
        raise StackError(
            f"Freeport cannot write to its directory {home}: {error.strerror} ({error.filename}).\n"
            "Set FREEPORT_HOME to a directory that you may write, or give this one to you:"
            f" sudo chown -R {os.geteuid()} '{home}'"
        ) from error
