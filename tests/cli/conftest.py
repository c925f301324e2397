import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.stand_ins import free_port

FREEPORT = Path(sys.executable).with_name("freeport")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def spacious(tmp_path: Path) -> Path:
    """A directory whose path has spaces and more."""
    directory = tmp_path / "a path with spaces, 'quotes' and ünïcode"
    directory.mkdir()
    return directory


@pytest.fixture
def freeport(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command with these settings and nothing of ours."""

    def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "FREEPORT_HOME": str(tmp_path / "home"), **settings}
        return subprocess.run(
            [FREEPORT, *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    return run


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A living process that has nothing to do with us."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()
