"""The ASGI application: one request in, one reply out, and what ESI does around it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Final

from esi_simulator.control import PREFIX, Control, Stats
from esi_simulator.error_window import ErrorWindow
from esi_simulator.errors import ERROR_LIMITED, EsiError
from esi_simulator.exchange import WORTH_PACKING, Document, Header, Reply, Request, error_reply
from esi_simulator.faults import Faults
from esi_simulator.headers import is_known, response_headers
from esi_simulator.routing import PREFIXES, Route, Routing
from esi_simulator.world import World

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LIMITED: Final = 420
NOT_MODIFIED: Final = 304
_EMPTY: Final = b""


@dataclass(frozen=True)
class Simulator:
    """ESI on localhost: plain ASGI, for speed."""

    world: World
    routing: Routing
    control: Control
    faults: Faults
    stats: Stats
    latency: float
    window: ErrorWindow

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        request = await _read(scope, receive)
        reply = self._controlled(request) if request.parts[:1] == (PREFIX,) else await self._answered(request)
        await _send(reply, request, response_headers(reply, self.window, self.world.clock.now()), send)

    def _controlled(self, request: Request) -> Reply:
        try:
            return self.control.answer(request)
        except EsiError as error:
            return error_reply(error.status, error.message)

    async def _answered(self, request: Request) -> Reply:
        route = self.routing.find(request)
        try:
            reply = await self._served(route, request)
        except EsiError as error:
            reply = error_reply(error.status, error.message)
        if is_known(reply, request.headers):
            reply = replace(reply, status=NOT_MODIFIED, document=Document(_EMPTY, reply.document.etag))
        self.window.count(reply.status, self.world.clock.now())
        self.stats.count(route.kind, reply.status)
        return reply

    async def _served(self, route: Route, request: Request) -> Reply:
        """The route's reply, unless the client has used up its errors or meets a fault; late if it is to be late."""
        if not self.window.remain(self.world.clock.now()):
            limited: tuple[Header, ...] = ((b"x-esi-error-limited", b""),)
            return replace(error_reply(LIMITED, ERROR_LIMITED), headers=limited)
        fault = self.faults.meet(route.kind, request)
        delay = self.latency + (fault.delay if fault else 0)
        if delay:
            await asyncio.sleep(delay)
        wrong = fault.reply() if fault else None
        return wrong or route.handler(request)


async def _read(scope: Message, receive: Receive) -> Request:
    parts = [part for part in scope["path"].split("/") if part]
    if parts and parts[0] in PREFIXES:
        del parts[0]
    method = scope["method"]
    return Request(
        method=method,
        parts=tuple(parts),
        query=scope["query_string"].decode("latin-1"),
        headers=dict(scope["headers"]),
        body=await _body(receive) if method == "POST" else _EMPTY,
    )


async def _body(receive: Receive) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", _EMPTY))
        if not message.get("more_body"):
            return _EMPTY.join(chunks)


async def _send(reply: Reply, request: Request, headers: list[Header], send: Send) -> None:
    body = reply.document.body
    if len(body) > WORTH_PACKING and b"gzip" in request.headers.get(b"accept-encoding", _EMPTY):
        body = reply.document.packed()
        headers.append((b"content-encoding", b"gzip"))
    if reply.status not in {204, NOT_MODIFIED}:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
