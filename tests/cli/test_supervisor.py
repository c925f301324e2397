import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from cli.errors import StackError
from cli.lifeline import Lifeline
from cli.ports import Port, require_free
from cli.process import Process, in_levels, that_restart_with
from cli.supervisor import Supervisor
from support.stand_ins import eventually, free_port, read_journal, stand_in


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervise(tmp_path: Path, said: list[str]) -> "Supervise":
    return Supervise(tmp_path, said)


class Supervise:
    """Makes supervisors of tables."""

    def __init__(self, logs: Path, said: list[str]) -> None:
        self._logs = logs
        self._said = said

    def __call__(self, *table: Process) -> Supervisor:
        return Supervisor(table, self._logs, say=self._said.append)


def events(journal: Path) -> list[str]:
    """What the stand-ins wrote, without process ids."""
    return [line.rpartition(" ")[0] for line in read_journal(journal)]


async def until(journal: Path, event: str, times: int) -> None:
    await eventually(lambda: events(journal).count(event) >= times)


async def killed_and_back(supervisor: Supervisor, name: str) -> None:
    """Kill a process and wait until another does its work."""
    pid = supervisor.pid(name)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: supervisor.is_up(name) and supervisor.pid(name) != pid)


def stack_like(journal: Path) -> list[Process]:
    return [
        stand_in("postgres", journal),
        stand_in("broker", journal),
        stand_in("provision", journal, "once", after=("postgres",), restarts_with=("broker",)),
        stand_in("ingestor", journal, after=("postgres",), restarts_with=("broker", "provision")),
        stand_in("api", journal, after=("postgres", "ingestor"), restarts_with=("broker", "provision")),
    ]


async def test_processes_start_after_what_they_need_and_stop_in_the_reverse_order(
    supervise: Supervise, journal: Path
) -> None:
    async with supervise(
        stand_in("api", journal, after=("ingestor",)),
        stand_in("postgres", journal),
        stand_in("ingestor", journal, after=("postgres",)),
    ) as supervisor:
        await supervisor.start()

    names = ["postgres", "ingestor", "api"]
    assert events(journal) == [f"started {name}" for name in names] + [f"stopped {name}" for name in reversed(names)]


async def test_a_dead_process_is_started_again_and_said_so(
    supervise: Supervise, journal: Path, said: list[str]
) -> None:
    async with supervise(*stack_like(journal)) as supervisor:
        await supervisor.start()
        await killed_and_back(supervisor, "api")

        assert said == ["api was killed by SIGKILL; starting it again in 0.5 s", "api is back"]
        assert events(journal).count("started ingestor") == 1


async def test_each_death_in_a_row_makes_the_pause_longer(supervise: Supervise, journal: Path, said: list[str]) -> None:
    async with supervise(stand_in("api", journal)) as supervisor:
        await supervisor.start()
        for _ in range(2):
            await killed_and_back(supervisor, "api")

    pauses = [line.rpartition(" in ")[2] for line in said if "again" in line]
    assert pauses == ["0.5 s", "1 s"]


async def test_the_brokers_death_restarts_all_that_used_it_in_order(
    supervise: Supervise, journal: Path, said: list[str]
) -> None:
    async with supervise(*stack_like(journal)) as supervisor:
        await supervisor.start()
        before = len(events(journal))
        broker = supervisor.pid("broker")
        assert broker is not None

        os.kill(broker, signal.SIGKILL)
        await until(journal, "started api", 2)

        assert events(journal)[before:] == [
            "stopped api",
            "stopped ingestor",
            "started broker",
            "started provision",
            "started ingestor",
            "started api",
        ]
        assert "stopping ingestor, api, which restart with it" in said[0]


async def test_a_process_that_ends_during_the_start_ends_it_with_its_last_words(
    supervise: Supervise, journal: Path
) -> None:
    failing = stand_in("api", journal, "fail", after=("postgres",))
    async with supervise(stand_in("postgres", journal), failing) as supervisor:
        with pytest.raises(StackError, match=r"api ended with status 3\nAPI_PORT: wants a number"):
            await supervisor.start()

    assert events(journal)[-1] == "stopped postgres"


async def test_a_process_that_cannot_be_started_is_named(supervise: Supervise) -> None:
    async with supervise(Process("api", lambda: ["/no/such/program"])) as supervisor:
        with pytest.raises(StackError, match=r"api cannot start.*No such file.*/no/such/program"):
            await supervisor.start()


async def test_a_process_that_never_gets_ready_ends_the_start(supervise: Supervise) -> None:
    async def never(_pid: int) -> bool:
        return False

    sleeper = Process("api", lambda: ["sleep", "60"], {"PATH": "/usr/bin:/bin"}, ready=never, ready_within=0.3)
    async with supervise(sleeper) as supervisor:
        with pytest.raises(StackError, match="api was not ready within"):
            await supervisor.start()


async def test_what_a_dead_process_left_behind_ends_too(supervise: Supervise, journal: Path) -> None:
    async with supervise(stand_in("api", journal, "parent")) as supervisor:
        await supervisor.start()
        await until(journal, "started grandchild", 1)
        grandchild = int(read_journal(journal)[-1].split()[-1])
        await killed_and_back(supervisor, "api")

        assert not is_running(grandchild)


async def test_a_deaf_process_is_killed_in_the_end(supervise: Supervise, journal: Path) -> None:
    async with supervise(replace(stand_in("api", journal, "deaf"), stop_within=0.3)) as supervisor:
        await supervisor.start()
        api = supervisor.pid("api")

    assert api is not None
    assert not is_running(api)


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_for_end(pids: list[int]) -> list[int]:
    """Those that still run after five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(is_running(pid) for pid in pids):
        time.sleep(0.02)
    return [pid for pid in pids if is_running(pid)]


class Stack:
    """A supervisor in a process of its own, over the real PostgreSQL and broker."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = (free_port(), free_port())
        self.process = subprocess.Popen(
            [sys.executable, "-m", "support.stand_in_stack", str(home), *map(str, self.ports)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        assert self.process.stdout is not None
        self.pids: dict[str, int] = {}
        for line in iter(self.process.stdout.readline, "ready\n"):
            name, pid = line.split()
            self.pids[name] = int(pid)
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.everything = [self.process.pid, *(child.pid for child in children)]

    def require_free_ports(self) -> None:
        require_free([Port("PORT", "127.0.0.1", number) for number in self.ports])

    def end(self, number: signal.Signals) -> str:
        assert self.process.stdout is not None
        self.process.send_signal(number)
        with self.process.stdout:
            self.process.wait(20)
            return self.process.stdout.read()


@pytest.fixture
def stack(spacious: Path, fresh_cluster: Path) -> Iterator[Stack]:
    fresh_cluster.rename(spacious / "postgres")
    running = Stack(spacious)
    yield running
    running.process.kill()
    running.process.wait()


def test_a_supervisor_killed_with_9_leaves_no_process_and_no_port(stack: Stack) -> None:
    stack.end(signal.SIGKILL)

    assert len(stack.everything) > 6
    assert wait_for_end(stack.everything) == []
    stack.require_free_ports()
    again = Stack(stack.home)
    assert set(again.pids) == {"postgres", "broker", "api"}
    again.end(signal.SIGTERM)
    assert wait_for_end(again.everything) == []


def test_the_kernel_ends_the_children_when_the_watcher_is_dead_too(stack: Stack) -> None:
    watchers = [pid for pid in stack.everything if "lifeline.py" in " ".join(psutil.Process(pid).cmdline())]
    assert len(watchers) == 1
    os.kill(watchers[0], signal.SIGKILL)

    stack.end(signal.SIGKILL)

    assert wait_for_end([pid for pid in stack.everything if pid in stack.pids.values()]) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_supervisor_leaves_no_process_and_no_port(stack: Stack, number: signal.Signals) -> None:
    assert "stopped" in stack.end(number)

    assert wait_for_end(stack.everything) == []
    stack.require_free_ports()


def test_the_watcher_ends_what_is_listed_when_nobody_is_left() -> None:
    lifeline = Lifeline()
    listed, forgotten = (subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2))
    for child in (listed, forgotten):
        lifeline.watch(child.pid, signal.SIGTERM)
    lifeline.forget(forgotten.pid)
    reaper = threading.Thread(target=listed.wait)
    reaper.start()

    lifeline.close()

    reaper.join(5)
    assert listed.returncode == -signal.SIGTERM
    assert forgotten.poll() is None
    forgotten.kill()
    forgotten.wait()


def test_the_order_of_starts_follows_needs_and_refuses_circles(journal: Path) -> None:
    table = stack_like(journal)

    assert [[process.name for process in level] for level in in_levels(table)] == [
        ["postgres", "broker"],
        ["provision"],
        ["ingestor"],
        ["api"],
    ]
    assert that_restart_with("broker", table) == {"provision", "ingestor", "api"}
    assert that_restart_with("postgres", table) == set()
    with pytest.raises(ValueError, match="a, b"):
        in_levels([stand_in("a", journal, after=("b",)), stand_in("b", journal, after=("a",))])
