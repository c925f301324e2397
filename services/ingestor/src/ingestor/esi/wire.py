"""HTTP/1.1 to one host over connections that are kept open: the few thousand requests a second of a first load.

llhttp (by httptools) reads the answers. See docs/decisions/0012 for why this is no general client.
"""

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self, cast
from urllib.parse import urlsplit

import httptools

IDLE_SECONDS = 45.0
"""A connection that was not used for longer may be closed by the other side just as we write."""
CONNECT_SECONDS = 10.0
LARGEST_BODY = 64 * 2**20
_FIRST_FINAL = 200


class Headers(Mapping[str, str]):
    """An answer's headers; names in any case."""

    __slots__ = ("_named",)

    def __init__(self, named: dict[str, str]) -> None:
        self._named = named

    def __getitem__(self, name: str) -> str:
        return self._named[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]  # plain text
        return self._named.get(name.lower(), default)


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, the body as it was sent."""

    status: int
    headers: Headers
    body: bytes


@dataclass
class Wire:
    """Connections to the host of `base`. Open it with `async with`."""

    base: str
    headers: Mapping[str, str]
    timeout: float
    _idle: list["_Connection"] = field(default_factory=list)
    _all: set["_Connection"] = field(default_factory=set)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base)
        secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if secure else 80)
        self._path = parts.path.rstrip("/")
        self._tls = ssl.create_default_context() if secure else None
        fixed = {"Host": parts.netloc.rpartition("@")[2], **self.headers}
        self._fixed = "".join(f"{name}: {text}\r\n" for name, text in fixed.items())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in list(self._all):
            connection.close()

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Response:
        """The whole answer. Raises `OSError` for a connection that fails or breaks off, and `TimeoutError`."""
        head = self._head(method, target, headers, body)
        connection = self._kept()
        if connection is not None:
            try:
                return await connection.ask(head, self.timeout)
            except ConnectionResetError:
                pass  # it was closed while it was idle, and nobody has read what we wrote
        return await (await self._connect()).ask(head, self.timeout)

    def _head(self, method: str, target: str, headers: Mapping[str, str] | None, body: bytes | None) -> bytes:
        more = "".join(f"{name}: {text}\r\n" for name, text in headers.items()) if headers else ""
        if body is not None:
            more += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{method} {self._path}{target} HTTP/1.1\r\n{self._fixed}{more}\r\n".encode() + (body or b"")

    def _kept(self) -> "_Connection | None":
        """The connection that was used last, so that those too many grow old."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and now - connection.used_at < IDLE_SECONDS:
                return connection
            connection.close()
        return None

    async def _connect(self) -> "_Connection":
        async with asyncio.timeout(min(CONNECT_SECONDS, self.timeout)):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), self._host, self._port, ssl=self._tls
            )
        self._all.add(connection)
        return connection

    def take_back(self, connection: "_Connection") -> None:
        self._idle.append(connection)

    def forget(self, connection: "_Connection") -> None:
        self._all.discard(connection)


class _Connection(asyncio.Protocol):
    """One connection, with one request under way at most."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._begun = False
        self._named: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self.used_at = 0.0

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, head: bytes, timeout: float) -> Response:  # noqa: ASYNC109 - one timer a request, no scope
        """Raises `ConnectionResetError` when the other side has hung up before it said anything."""
        assert self._transport is not None
        self._answer = answer = self._loop.create_future()
        self._begun, self._named, self._body, self._size = False, {}, [], 0
        timer = self._loop.call_later(timeout, self._fail, TimeoutError(f"no whole answer within {timeout:g} s"))
        self._transport.write(head)
        try:
            response: Response = await answer
        finally:
            timer.cancel()
            if not answer.done() or answer.cancelled():
                self.close()
        return response

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._wire.forget(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        self._begun = True
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"unreadable answer: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.forget(self)
        if self._begun and self._named and not {"content-length", "transfer-encoding"} & self._named.keys():
            self._finish(kept=False)  # a body that ends with the connection
        elif self._begun:
            self._fail(ConnectionError(f"the answer breaks off: {exc or 'the connection was closed'}"))
        else:
            self._fail(ConnectionResetError(f"no answer: {exc or 'the connection was closed'}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._named[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > LARGEST_BODY:
            self._fail(ConnectionError(f"an answer of more than {LARGEST_BODY} bytes"))
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < _FIRST_FINAL:
            self._named, self._body = {}, []
            return
        self._finish(kept=self._parser.should_keep_alive())

    def _finish(self, *, kept: bool) -> None:
        if self._answer is None or self._answer.done():
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._answer.set_result(Response(self._parser.get_status_code(), Headers(self._named), body))
        if kept:
            self.used_at = self._loop.time()
            self._wire.take_back(self)
        else:
            self.close()

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self.close()
