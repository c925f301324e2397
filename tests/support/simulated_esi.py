"""The ESI simulator as a process of its own or as an object in this one, and plain clients for both."""

import gzip
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from esi_simulator.app import Message, Simulator


@dataclass(frozen=True)
class Answer:
    """One response; header names are in lower case, the body is unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


class SimulatedEsi:
    """Asks the simulator at a base address, over one connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self._ask("GET", path, headers or {})

    def post(self, path: str, content: Any) -> Answer:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self._ask("POST", path, {}, body)

    def control(self, subject: str, **wish: Any) -> Any:
        """Make something happen: `control("clock", advance=60)`."""
        answer = self.post(f"/_simulator/{subject}", wish)
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(answer.content["error"])
        return answer.content

    def truth(self, region_id: int) -> Any:
        """What the simulator's region holds, items included."""
        return self.get(f"/_simulator/truth/{region_id}?items=1").content

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        try:
            response = self._request(method, path, headers, body)
        except (http.client.RemoteDisconnected, ConnectionError):  # kept alive for longer than the server cares to
            self._connection.close()
            response = self._request(method, path, headers, body)
        found = {name.lower(): text for name, text in response.getheaders()}
        content = response.read()
        return Answer(
            response.status, found, gzip.decompress(content) if found.get("content-encoding") == "gzip" else content
        )

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> http.client.HTTPResponse:
        self._connection.request(method, path, body, dict(headers))
        return self._connection.getresponse()


@contextmanager
def running_simulator(folder: Path, **settings: str) -> Iterator[SimulatedEsi]:
    """A simulator on a free port for as long as the block runs; `folder` keeps a stray `.env` away from it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "esi_simulator"],
        cwd=folder,
        env={**os.environ, "ESI_SIM_PORT": "0", **settings},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        try:
            assert "http://" in ready, "the simulator did not start"
            esi = SimulatedEsi(ready.split()[-1])
            yield esi
            esi.close()
        finally:
            process.terminate()


class SimulatorInProcess:
    """Asks a simulator of this process, without HTTP: an answer takes well under a millisecond."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Raises `ConnectionError` for a body that ends too early."""
        return await self._ask("GET", path, headers or {}, b"")

    async def post(self, path: str, content: Any) -> Answer:
        return await self._ask("POST", path, {}, json.dumps(content).encode())

    async def control(self, subject: str, **wish: Any) -> Any:
        """Make something happen: `await control("clock", advance=60)`."""
        answer = await self.post(f"/_simulator/{subject}", wish)
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(answer.content["error"])
        return answer.content

    async def truth(self, region_id: int, *wanted: str, at: str | None = None) -> Any:
        """What is so in a region; `wanted` names more of it: items, rows, bids, dynamic, gone."""
        query = [f"{name}=1" for name in wanted] + ([f"at={at}"] if at else [])
        return (await self.get(f"/_simulator/truth/{region_id}?{'&'.join(query)}")).content

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        target, _, query = path.partition("?")
        pairs = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
        scope: Message = {
            "type": "http",
            "method": method,
            "path": target,
            "query_string": query.encode(),
            "headers": pairs,
        }
        await self.simulator(scope, receive, send)
        if sent[-1].get("more_body"):
            raise ConnectionError("the body ended too early")
        content = b"".join(message["body"] for message in sent[1:])
        found = {name.decode(): text.decode() for name, text in sent[0]["headers"]}
        return Answer(
            sent[0]["status"], found, gzip.decompress(content) if found.get("content-encoding") == "gzip" else content
        )


@asynccontextmanager
async def served(simulator: Simulator) -> AsyncIterator[str]:
    """The address of a simulator of this process that answers over HTTP for as long as the block runs."""
    config = uvicorn.Config(simulator, lifespan="off", log_config=None, server_header=False, date_header=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.startup(sockets=[listener])
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        await server.shutdown(sockets=[listener])
