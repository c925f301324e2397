"""The api as the process that it is, with a floor beside it: a body of any size that costs nothing to make."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from cli.embedded.broker import EmbeddedBroker
from cli.stack import EMBEDDED_BROKER
from support.stand_ins import free_port

LONGEST_START: Final = 30
CONSTANT: Final = "/floor/{size}"
HOOK: Final = '''
"""Answers /floor/SIZE with so many bytes, before anything else of the api sees the request."""

ORDER = 1_000_000


class Constant:
    def __init__(self, app):
        self._app = app
        self._bodies = {}

    async def __call__(self, scope, receive, send):
        path = scope.get("path", "")
        if not path.startswith("/floor/"):
            await self._app(scope, receive, send)
            return
        body = self._bodies.get(path)
        if body is None:
            body = self._bodies[path] = b"x" * int(path[7:])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def register_middleware(app):
    app.add_middleware(Constant)
'''


@dataclass(frozen=True)
class Served:
    """One api, with one worker."""

    port: int
    process: psutil.Process


@contextmanager
def running_api(folder: Path, database_url: str, **settings: str) -> Iterator[Served]:
    """`python -m api` on that database, with the settings of `make up`, for as long as the block runs."""
    hooks = folder / "hooks" / "middleware"
    hooks.mkdir(parents=True, exist_ok=True)
    (hooks / "constant.py").write_text(HOOK, encoding="utf-8")
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker(folder, free_port()))
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            **EMBEDDED_BROKER,
            "API_PORT": str(free_port()),
            "API_HOOKS": str(hooks.parent),
            **settings,
        }
        log = stack.enter_context((folder / "api.log").open("wb"))
        process = subprocess.Popen([sys.executable, "-m", "api"], cwd=folder, env=environment, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        port = int(environment["API_PORT"])
        _wait(port, process, folder / "api.log")
        yield Served(port, psutil.Process(process.pid))


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + LONGEST_START
    while time.monotonic() < give_up and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
    raise RuntimeError(f"the api does not start:\n{log.read_text(errors='replace')[-2000:]}")
