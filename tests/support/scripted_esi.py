"""An upstream that answers byte for byte what a test says, for answers that no honest server gives."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

LIST_HEADERS = {
    "Date": "Sun, 01 Nov 2026 12:00:00 GMT",
    "Last-Modified": "Sun, 01 Nov 2026 11:50:00 GMT",
    "Expires": "Sun, 01 Nov 2026 12:20:00 GMT",
    "X-Pages": "1",
}


@dataclass(frozen=True)
class Asked:
    """One request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class ScriptedEsi:
    """Where it listens, and what it was asked so far."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    def targets(self) -> list[str]:
        return [asked.target for asked in self.asked]


def answer(content: Any = None, status: int = 200, **headers: str | None) -> bytes:
    """A response with `content` as JSON, or as it is if it is bytes. A header that is None is left out."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {"Content-Length": str(len(body)), **{name.replace("_", "-"): text for name, text in headers.items()}}
    lines = [f"{name}: {text}" for name, text in named.items() if text is not None]
    return "\r\n".join([f"HTTP/1.1 {status} Said", *lines, "Connection: close", "", ""]).encode() + body


def listed(content: Any, **headers: str | None) -> bytes:
    """A page of a list, whole unless `headers` say otherwise."""
    named: dict[str, str | None] = {**LIST_HEADERS, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return answer(content, 200, **named)


@asynccontextmanager
async def scripted_esi(script: Callable[[Asked], bytes | None]) -> AsyncIterator[ScriptedEsi]:
    """Answers every request with what `script` returns for it; None is silence until the client leaves."""
    esi = ScriptedEsi()
    serving: set[Any] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        asked = await _read(reader)
        esi.asked.append(asked)
        said = script(asked)
        if said is None:
            await reader.read()
        else:
            writer.write(said)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    esi.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield esi
        await asyncio.wait_for(asyncio.gather(*serving, return_exceptions=True), 5)


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    method, target, _ = head[0].split()
    headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)
