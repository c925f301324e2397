import asyncio
import json
import re
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

_LARGEST = 20_000_000
_EVERY = 0.5
_AT_MOST = 3
_WINDOW = 10.0
_ALARMING = re.compile(r"\b(FATAL|PANIC)\b|^Traceback|panicked")


def put_aside(logs: Path, names: Iterable[str]) -> None:
    """Begin new log files; those of the run before stay as NAME.log.1."""
    for name in names:
        log = logs / f"{name}.log"
        if log.exists():
            log.replace(logs / f"{name}.log.1")
        log.touch()


class ChildLogs:
    """Watches the processes' log files: passes on what is important, keeps the files from growing without end."""

    def __init__(self, logs: Path, names: Iterable[str], *, say: Callable[[str], None]) -> None:
        self._logs = {name: logs / f"{name}.log" for name in names}
        self._read_to = dict.fromkeys(self._logs, 0)
        self._said_at: dict[str, deque[float]] = {name: deque(maxlen=_AT_MOST) for name in self._logs}
        self._say = say

    async def follow(self) -> None:
        """Do so until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            for name, log in self._logs.items():
                self._pass_on(name, log)
                self._shorten(name, log)

    def _pass_on(self, name: str, log: Path) -> None:
        with log.open("rb") as lines:
            lines.seek(self._read_to[name])
            fresh = lines.read(_LARGEST)
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._read_to[name] += len(whole)
        alarming = [text for line in whole.decode("utf-8", "replace").splitlines() if (text := important_in(line))]
        for text in alarming:
            self._say_within_reason(name, text)

    def _say_within_reason(self, name: str, text: str) -> None:
        """Three lines of one process in ten seconds; who wants more reads its file."""
        said_at, now = self._said_at[name], time.monotonic()
        if len(said_at) < _AT_MOST or now - said_at[0] > _WINDOW:
            said_at.append(now)
            self._say(f"{name}: {text}")

    def _shorten(self, name: str, log: Path) -> None:
        """Move a long file's content aside; the process writes on at the end of the same, now empty, file."""
        if log.stat().st_size > _LARGEST:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            with log.open("r+b") as grown:
                grown.truncate(0)
            self._read_to[name] = 0


def important_in(line: str) -> str | None:
    """What people should see of a log line, None for the everyday ones."""
    if line.startswith("{"):
        try:
            record = json.loads(line)
        except ValueError:
            return None
        is_important = str(record.get("level", "")).lower() in {"error", "critical"}
        return str(record.get("message") or record.get("event") or line) if is_important else None
    return line.strip() if _ALARMING.search(line) else None
