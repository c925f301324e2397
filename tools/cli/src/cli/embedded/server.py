import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 10
_TAIL_BYTES = 2000


class Server:
    """One running server process with its output in a file."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        self._began_at = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[int], bool], timeout: float) -> bool:
        """Wait until the process is ready; false if it ended or the time (seconds) ran out before."""
        deadline = time.monotonic() + timeout
        while self.is_running() and time.monotonic() < deadline:
            if ready(self.pid):
                return self.is_running()
            time.sleep(0.01)
        return False

    def stop(self, *signals: signal.Signals) -> None:
        """Send the signals in turn until the process ends, at last SIGKILL."""
        for each in (*signals, signal.SIGKILL):
            self._process.send_signal(each)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return

    def last_words(self) -> str:
        """The end of what it wrote since it started."""
        with self._log.open("rb") as log:
            log.seek(max(self._began_at, self._log.stat().st_size - _TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()
