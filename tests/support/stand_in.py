"""A stand-in for a process of the stack: writes what happens to it into a journal. Stops on SIGTERM.

Arguments: NAME JOURNAL [WORD]; WORD is `once` to end at once with status 0, `fail` to end with status 3 and last
words, `deaf` to ignore SIGTERM, `parent` to start a process of its own.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main(name: str, journal: str, word: str = "") -> None:
    def write(event: str) -> None:
        with Path(journal).open("a", encoding="utf-8") as lines:
            lines.write(f"{event} {name} {os.getpid()}\n")

    def stop(_number: int, _frame: object) -> None:
        if word == "deaf":
            return
        write("stopped")
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    write("started")
    if word == "fail":
        print("API_PORT: wants a number", file=sys.stderr)
        raise SystemExit(3)
    if word == "parent":
        grandchild = subprocess.Popen(["sleep", "120"])
        with Path(journal).open("a", encoding="utf-8") as lines:
            lines.write(f"started grandchild {grandchild.pid}\n")
    while word != "once":
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
