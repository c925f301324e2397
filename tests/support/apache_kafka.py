"""Apache Kafka itself, for the tests that have to hold on more than the embedded broker."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.embedded.metadata_request import cluster_at
from cli.embedded.server import Server
from cli.launch import launched

POM = Path(__file__).with_name("kafka-pom.xml")
JARS = Path(__file__).parents[2] / "build" / "kafka"
OLDEST_JAVA = 17

# One node that is broker and controller; what a single node or a short test needs differs from Kafka's defaults.
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
log.dirs={log_dir}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=4194304
"""

# A short-lived JVM on few cores starts fastest with the plain collector and only the first compiler.
JAVA = ["java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
JAVA += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{JARS}/*"]


def unavailable() -> str | None:
    """Say why Apache Kafka cannot run here, or None when it can."""
    java = _java_version()
    if java is None:
        return f"there is no `java` on PATH; Apache Kafka 4 needs Java {OLDEST_JAVA} or newer"
    if java < OLDEST_JAVA:
        return f"`java` is version {java}; Apache Kafka 4 needs Java {OLDEST_JAVA} or newer"
    if shutil.which("mvn") is None and not _is_fetched():
        return "there is no `mvn` on PATH to fetch Apache Kafka with"
    return None


class ApacheKafka:
    """One Kafka node, broker and controller, on 127.0.0.1, as a child of this process.

    To be used like `cli.embedded.broker.EmbeddedBroker`; unlike that it keeps its data in the directory, so whatever
    ends it forgets nothing. Start it in a thread that lives as long as the broker should.
    """

    def __init__(self, directory: Path, port: int, controller_port: int) -> None:
        self.port = port
        self.log = directory.absolute() / "kafka.log"
        self._controller_port = controller_port
        self._data = directory.absolute() / "kafka"
        self._properties = directory.absolute() / "kafka.properties"
        self._cluster = f"freeport-{uuid.uuid4().hex[:13]}"
        self._server: Server | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return self._server.pid if self._server else None

    def start(self, timeout: float = 60) -> str:
        """Start the broker and return its bootstrap address once it answers a request for metadata.

        Raises RuntimeError with the end of the log if it does not start.
        """
        fetch()
        if not self._data.exists():
            self._format()
        self._server = Server(launched([*JAVA, "kafka.Kafka", str(self._properties)]), os.environ, self.log)
        if self._server.wait_until(self.is_ready, timeout):
            return self.bootstrap_servers
        ended, self._server = self._server, None
        ended.stop()
        raise RuntimeError(f"Apache Kafka did not start on port {self.port}:\n{ended.last_words()}")

    def stop(self) -> None:
        """Stop in good order; the port is free on return."""
        if self._server:
            self._server.stop(signal.SIGTERM)
            self._server = None

    def kill(self) -> None:
        """Stop without warning, as a crash would."""
        if self._server:
            self._server.stop()
            self._server = None

    def restart(self, *, keep_data: bool = True) -> str:
        """Stop, if it still runs, and start on the same address."""
        self.stop()
        if not keep_data:
            shutil.rmtree(self._data)
        return self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def is_ready(self, _pid: int = 0) -> bool:
        """Whether this broker answers on its port."""
        return cluster_at(self.port) == self._cluster

    def _format(self) -> None:
        self._properties.parent.mkdir(parents=True, exist_ok=True)
        ports = {"port": self.port, "controller_port": self._controller_port}
        self._properties.write_text(PROPERTIES.format(log_dir=self._data, **ports), encoding="utf-8")
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", self._cluster, "--config", str(self._properties)]
        _run([*JAVA, *tool])


def fetch() -> None:
    """Have Maven copy Kafka and what it runs on into the build directory, once per content of the pom.

    Raises RuntimeError with what Maven said when it fails.
    """
    JARS.parent.mkdir(exist_ok=True)
    with JARS.with_name(f"{JARS.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # or a worker would replace the jars that another one's broker is loading
        if not _is_fetched():
            _copy_jars()


def _copy_jars() -> None:
    with tempfile.TemporaryDirectory(dir=JARS.parent) as scratch:
        fresh = Path(scratch) / "kafka"
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={fresh}", "-DincludeScope=runtime"]
        _run(["mvn", "--quiet", "--batch-mode", "--file", str(POM), *goal])
        shutil.copy(POM, fresh / POM.name)
        shutil.rmtree(JARS, ignore_errors=True)
        fresh.rename(JARS)


def _is_fetched() -> bool:
    stamp = JARS / POM.name
    return stamp.exists() and stamp.read_bytes() == POM.read_bytes()


def _java_version() -> int | None:
    java = shutil.which("java")
    if java is None:
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return int(found[1]) if found else None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
