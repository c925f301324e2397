"""PostgreSQL's postmaster.pid: line 1 the process, line 8 its state."""

import subprocess
import time
from contextlib import suppress
from pathlib import Path

from cli.errors import StackError

_STATE_LINE = 7
_PATIENCE = 10.0


def says_ready(directory: Path, pid: int) -> bool:
    """Whether this very process says that it takes connections."""
    lines = _lines(directory)
    return len(lines) > _STATE_LINE and lines[0] == str(pid) and lines[_STATE_LINE].strip() == "ready"


def remove_stale(directory: Path) -> None:
    """Remove the pid file that a killed server left behind.

    PostgreSQL itself refuses to start when the number in it now belongs to any living process. That process is never
    touched here. Raises StackError if it is a server that really works on this directory and does not end in ten
    seconds, which is ample for one whose supervisor was just killed.
    """
    deadline = time.monotonic() + _PATIENCE
    lines = _lines(directory)
    if not lines:
        return
    pid = int(lines[0]) if lines[0].strip().isdigit() else 0
    while pid and _serves(pid, directory):
        if time.monotonic() > deadline:
            raise StackError(f"PostgreSQL process {pid} already works on {directory}; stop it first: kill -INT {pid}")
        time.sleep(0.05)
    (directory / "postmaster.pid").unlink(missing_ok=True)


def _lines(directory: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return (directory / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    return []


def _serves(pid: int, directory: Path) -> bool:
    command = _command_of(pid)
    return "postgres" in command and str(directory) in command


def _command_of(pid: int) -> str:
    """The command line of a process, empty if there is none."""
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        return ""
    command = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
