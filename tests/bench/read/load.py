"""The load, as a process of its own: it reads a job a line and answers each with a line.

It has to be so cheap that it is never what is measured: requests are bytes that were made before, sockets are plain,
an answer is looked at only as far as its status and its length. What it costs itself is a part of its answer.
"""

import json
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, Final

RECEIVED: Final = 262_144
LENGTH: Final = b"content-length: "
HEAD_ENDS: Final = b"\r\n\r\n"
LONGEST_SILENCE: Final = 30.0
WARMING_PART: Final = 4
"""Of paths that are asked for once each, no more than one in so many is spent on warming up."""
NO_BODY: Final = frozenset({204, 304})


@dataclass(frozen=True)
class Job:
    """Requests for paths in turn, over as many connections at once, each sent when the answer before is there.

    With `repeat` the paths begin anew when they are through; otherwise no path is asked for twice, and the job may end
    early. The first `warming` seconds are not counted.
    """

    port: int
    paths: list[str]
    headers: dict[str, str]
    connections: int
    seconds: float
    warming: float
    repeat: bool


@dataclass
class Taken:
    """What was measured: nanoseconds of each answer, and what the answers were."""

    nanoseconds: list[int] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    before: int = 0
    """Answers that are not counted, for they only warmed up."""
    body_bytes: int = 0
    began: int = 0
    ended: int = 0
    cpu_began: float = 0.0
    cpu_ended: float = 0.0

    def note(self, asked: int, answered: int, status: int, length: int) -> None:
        self.nanoseconds.append(answered - asked)
        self.statuses[status] += 1
        self.body_bytes += length

    def as_json(self) -> dict[str, Any]:
        ordered, seconds = sorted(self.nanoseconds), (self.ended - self.began) / 1e9
        count = len(ordered)
        if not count:
            return {"requests": 0}
        return {
            "requests": count,
            "asked": count + self.before,
            "p50_ms": round(ordered[count // 2] / 1e6, 3),
            "p99_ms": round(ordered[min(count - 1, count * 99 // 100)] / 1e6, 3),
            "max_ms": round(ordered[-1] / 1e6, 3),
            "requests_per_second": round(count / seconds, 1),
            "body_bytes": self.body_bytes // count,
            "statuses": {str(status): number for status, number in self.statuses.items()},
            "client_us": round((self.cpu_ended - self.cpu_began) / count * 1e6, 1),
        }


class Connection:
    """One connection, and the answer that is coming in on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=LONGEST_SILENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked = 0
        self._came = b""
        self._ends = 0

    def ask(self, request: bytes) -> None:
        self._came, self._ends = b"", 0
        self.asked = time.perf_counter_ns()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what has come; whether the answer is whole. Raises ConnectionError if the server hangs up."""
        came = self.socket.recv(RECEIVED)
        if not came:
            raise ConnectionError("the server hung up")
        self._came = self._came + came if self._came else came
        if not self._ends:
            head = self._came.find(HEAD_ENDS)
            if head < 0:
                return False
            self._ends = head + len(HEAD_ENDS) + self._length(head)
        return len(self._came) >= self._ends

    @property
    def status(self) -> int:
        return int(self._came[9:12])

    @property
    def length(self) -> int:
        return self._length(self._came.find(HEAD_ENDS))

    def header(self, name: str) -> str:
        """Of the answer; empty if it has none of that name."""
        head = self._came[: self._came.find(HEAD_ENDS)].decode("latin-1")
        named = (line.partition(": ") for line in head.split("\r\n"))
        return next((value for each, _, value in named if each.lower() == name), "")

    def _length(self, head: int) -> int:
        if self.status in NO_BODY:
            return 0
        at = self._came.lower().find(LENGTH, 0, head)
        if at < 0:
            raise ValueError("an answer without Content-Length is not for this client")
        return int(self._came[at + len(LENGTH) : self._came.find(b"\r\n", at)])


def run(job: Job) -> Taken:
    """Do the job. One connection is read from directly, for waiting on several costs a little."""
    requests = _requests(job)
    connections = [Connection(job.port) for _ in range(job.connections)]
    try:
        few = None if job.repeat else len(job.paths) // WARMING_PART
        warmed = _until(job.warming, connections, islice(requests, few), Taken())
        taken = _until(job.seconds, connections, requests, Taken())
        taken.before = len(warmed.nanoseconds)
        return taken
    finally:
        for connection in connections:
            connection.socket.close()


def _requests(job: Job) -> Iterator[bytes]:
    head = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "127.0.0.1", **job.headers}.items())
    made = [f"GET {path} HTTP/1.1\r\n{head}\r\n".encode() for path in job.paths]
    return cycle(made) if job.repeat else iter(made)


def _until(seconds: float, connections: list[Connection], requests: Iterator[bytes], taken: Taken) -> Taken:
    taken.cpu_began, taken.began = time.process_time(), time.perf_counter_ns()
    deadline = taken.began + int(seconds * 1e9)
    if len(connections) == 1:
        _one_after_the_other(deadline, connections[0], requests, taken)
    else:
        _at_once(deadline, connections, requests, taken)
    taken.cpu_ended, taken.ended = time.process_time(), time.perf_counter_ns()
    return taken


def _one_after_the_other(deadline: int, connection: Connection, requests: Iterator[bytes], taken: Taken) -> None:
    for request in requests:
        connection.ask(request)
        while not connection.receive():
            pass
        answered = time.perf_counter_ns()
        taken.note(connection.asked, answered, connection.status, connection.length)
        if answered > deadline:
            return


def _at_once(deadline: int, connections: list[Connection], requests: Iterator[bytes], taken: Taken) -> None:
    by_number = {connection.socket.fileno(): connection for connection in connections}
    poll = select.epoll()
    waiting = 0
    for number, connection in by_number.items():
        request = next(requests, None)
        if request is not None:
            poll.register(number, select.EPOLLIN)
            connection.ask(request)
            waiting += 1
    while waiting:
        ready = poll.poll(LONGEST_SILENCE)
        if not ready:
            raise TimeoutError("the server says nothing")
        for number, _ in ready:
            connection = by_number[number]
            if not connection.receive():
                continue
            answered = time.perf_counter_ns()
            taken.note(connection.asked, answered, connection.status, connection.length)
            request = next(requests, None) if answered < deadline else None
            if request is None:
                waiting -= 1
            else:
                connection.ask(request)
    poll.close()


def main() -> None:
    for line in sys.stdin:
        try:
            answer = run(Job(**json.loads(line))).as_json()
        except (OSError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
