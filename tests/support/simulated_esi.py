"""The ESI simulator as a process of its own, and a plain HTTP client for it."""

import gzip
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


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
