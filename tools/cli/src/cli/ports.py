import errno
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.errors import StackError

_LISTENING = "0A"


@dataclass(frozen=True)
class Port:
    """A port that the stack is going to listen on, and the setting that moves it."""

    setting: str
    host: str
    number: int


def require_free(ports: Sequence[Port], patience: float = 0) -> None:
    """Raise StackError naming each port that cannot be listened on, its setting, and who holds it.

    Patience, in seconds, is for the ports of a stack that was just killed and may still be letting go.
    """
    deadline = time.monotonic() + patience
    while (problems := _problems(ports)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if problems:
        raise StackError("\n".join(problems))


def _problems(ports: Sequence[Port]) -> list[str]:
    problems = []
    seen: dict[int, Port] = {}
    for port in ports:
        if port.number in seen:
            problems.append(f"{port.setting} and {seen[port.number].setting} are both {port.number}")
        seen.setdefault(port.number, port)
        if fault := _fault(port):
            problems.append(f"{port.setting}: cannot listen on port {port.number} of {port.host}: {fault}")
    return problems


def _fault(port: Port) -> str | None:
    try:
        family, *_, address = socket.getaddrinfo(port.host, port.number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"it is taken by {_holder(port.number)}. Stop that, or set {port.setting} to a free port"
        return f"{error.strerror}. Set {port.setting} to another port"
    return None


def _holder(port: int) -> str:
    """The process that listens, as far as this user may see it."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(descriptor.readlink()) in inodes for descriptor in (process / "fd").iterdir()):
                return f"process {process.name} ({(process / 'comm').read_text(encoding='utf-8').strip()})"
    return "another process"


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with suppress(OSError):
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes
