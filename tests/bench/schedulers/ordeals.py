"""What is done to schedulers while they fire."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.schedulers.systems import Command

HOUR: Final = 3_600


@dataclass(frozen=True)
class Ordeal:
    """So many seconds of so many schedules, and what is done at which second."""

    name: str
    seconds: int
    steps: Sequence[tuple[float, str, tuple[int, ...]]] = ()
    schedules: int = 200

    @property
    def sets_clock(self) -> bool:
        return any(what == "set_clock" for _, what, _ in self.steps)


ORDEALS: Final = (
    Ordeal("thousand", 20, schedules=1_000),
    Ordeal("steady", 15),
    Ordeal("replicas", 25, [(5, "start", ()), (15, "stop", ())]),
    Ordeal("kills", 40, [(second + 0.1, "replace", ()) for second in range(5, 40, 5)]),
    Ordeal("pause", 45, [(5.1, "freeze", ()), (35.1, "thaw", ())]),
    Ordeal("clock_forward", 30, [(5, "set_clock", (HOUR,)), (15, "set_clock", (0,))]),
    Ordeal("clock_back", 30, [(5, "set_clock", (-HOUR,)), (15, "set_clock", (0,))]),
)
"""A kill, or a pause, comes a tenth of a second after slots did. A clock that was set wrong is set right again."""


class Fleet:
    """Replicas of one system. With `clock`, which is libfaketime's library, they can be told another time than ours."""

    def __init__(self, command: Command, folder: Path, clock: Path | None) -> None:
        self.running: list[subprocess.Popen[bytes]] = []
        self._command = command
        self._log = folder / "scheduler.log"
        self._ahead = folder / "ahead"
        self._environment = {**command.environment, **(_faked(clock, self._ahead) if clock else {})}
        self.set_clock(0)

    def start(self) -> None:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self._command.arguments, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.running.append(process)

    def stop(self) -> None:
        """End the one that came last, as a deployment does."""
        leaving = self.running.pop()
        leaving.terminate()
        try:
            leaving.wait(10)
        except subprocess.TimeoutExpired:
            leaving.kill()
            leaving.wait()

    def replace(self) -> None:
        """End one where it stands, and start another."""
        victim = self.running.pop(0)
        victim.kill()
        victim.wait()
        self.start()

    def freeze(self) -> None:
        self.running[0].send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.running[0].send_signal(signal.SIGCONT)

    def set_clock(self, ahead: int) -> None:
        """Let their clocks differ from ours by so many seconds, from now on; how much time passes stays as it is."""
        beside = self._ahead.with_suffix(".new")
        beside.write_text(f"{ahead:+d}\n", encoding="ascii")
        os.replace(beside, self._ahead)  # noqa: PTH105 - at once

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


def clock_library() -> Path | None:
    """Where Debian's package has put libfaketime."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


def _faked(library: Path, ahead: Path) -> Mapping[str, str]:
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(ahead),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
