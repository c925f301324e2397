"""What processes cost, as the kernel counts it. Linux only."""

import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
RESET_PEAK = "5"
"""What `clear_refs` takes for: count the peak anew. Source: proc_pid_clear_refs(5)."""


class Meter:
    """Processor time and peak memory of some processes, by name, from the moment it is made."""

    def __init__(self, processes: Mapping[str, psutil.Process]) -> None:
        self._processes = processes
        self._spent = self._now()
        for process in processes.values():
            with suppress(OSError):
                Path(f"/proc/{process.pid}/clear_refs").write_text(RESET_PEAK, encoding="ascii")

    def cpu_seconds(self) -> dict[str, float]:
        """What each has spent since, with all its children."""
        return {name: round(spent - self._spent[name], 2) for name, spent in self._now().items()}

    def peak_mb(self, name: str) -> float:
        """The most that one process held in memory, in units of 2**20 bytes."""
        status = Path(f"/proc/{self._processes[name].pid}/status").read_text(encoding="utf-8")
        return round(peak_kb(status) / 1024, 1)

    def _now(self) -> dict[str, float]:
        return {name: cpu_seconds(process) for name, process in self._processes.items()}


def cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a process and of all below it, those included that have ended."""
    times = process.cpu_times()
    spent: float = times.user + times.system + times.children_user + times.children_system
    for child in process.children():
        with suppress(psutil.NoSuchProcess):
            spent += cpu_seconds(child)
    return spent


def peak_kb(status: str) -> int:
    """The peak of resident memory that `/proc/PID/status` tells."""
    found = _PEAK.search(status)
    if found is None:
        raise ValueError("no VmHWM: has the process ended?")
    return int(found[1])
