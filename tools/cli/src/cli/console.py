import sys
import time
from contextlib import suppress

_PLAIN_EVERY = 5.0
_CLEAR = "\r\x1b[K"


class Console:
    """What the command says: lines, and one line of progress that renews itself on a terminal.

    Elsewhere progress is a line at most every five seconds, when it changed. A terminal that went away is not an error.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._is_terminal = sys.stdout.isatty()
        self._progress = ""
        self._last_plain = ""
        self._last_plain_at = 0.0

    def say(self, text: str = "") -> None:
        self._write(f"{_CLEAR if self._progress else ''}{text}\n")
        self._progress = ""

    def note(self, text: str) -> None:
        """Say something with the seconds since the command began."""
        self.say(f"{self.elapsed():6.1f} s  {text}")

    def progress(self, text: str) -> None:
        if self._is_terminal:
            self._progress = text
            self._write(f"{_CLEAR}{self.elapsed():6.1f} s  {text}")
        elif text != self._last_plain and time.monotonic() - self._last_plain_at > _PLAIN_EVERY:
            self._last_plain, self._last_plain_at = text, time.monotonic()
            self.note(text)

    def elapsed(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self._began

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stdout.write(text)
            sys.stdout.flush()
