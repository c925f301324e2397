"""Ends what a killed supervisor left behind, also where the kernel tells no child of its parent's death.

Run as a script it reads lines on its input: `+PID SIGNAL` for a child that runs, `-PID` for one that ended. When the
input ends while children are listed, nobody is left to look after them: it signals each, waits, and kills their groups.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

_GRACE = 3.0


class Lifeline:
    """The supervisor's end. It never fails: without a listener the kernel's own signal is still there on Linux."""

    def __init__(self) -> None:
        self._watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, start_new_session=True
        )

    def watch(self, pid: int, stop_signal: signal.Signals) -> None:
        self._tell(f"+{pid} {int(stop_signal)}")

    def forget(self, pid: int) -> None:
        self._tell(f"-{pid}")

    def close(self) -> None:
        """End the watcher; what is still listed ends with it."""
        if self._watcher.stdin:
            with suppress(OSError):
                self._watcher.stdin.close()
        self._watcher.wait()

    def _tell(self, line: str) -> None:
        if self._watcher.stdin:
            with suppress(OSError):
                self._watcher.stdin.write(f"{line}\n".encode())
                self._watcher.stdin.flush()


def _listed(lines: Iterable[str]) -> dict[int, int]:
    children: dict[int, int] = {}
    for line in lines:
        if line.startswith("+"):
            pid, number = line[1:].split()
            children[int(pid)] = int(number)
        else:
            children.pop(int(line[1:]), None)
    return children


def _end(children: dict[int, int]) -> None:
    for pid, number in children.items():
        with suppress(OSError):
            os.kill(pid, number)
    deadline = time.monotonic() + _GRACE
    while time.monotonic() < deadline and any(_is_alive(pid) for pid in children):
        time.sleep(0.05)
    for pid in children:
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return True
    return False


if __name__ == "__main__":
    _end(_listed(sys.stdin))
