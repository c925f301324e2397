"""The ASGI application: one request in, one reply out, and what ESI does around it."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Final

from esi_simulator import compatibility
from esi_simulator.control.dispatch import PREFIX, Control
from esi_simulator.errors import EsiError
from esi_simulator.exchange import WORTH_PACKING, Document, Header, Reply, Request, error_reply
from esi_simulator.headers import is_known, response_headers
from esi_simulator.limits.gates import Gates
from esi_simulator.routing import PREFIXES, Route, Routing
from esi_simulator.stats import Stats
from esi_simulator.trouble.faults import Fault, Faults
from esi_simulator.trouble.flaky import Flaky
from esi_simulator.trouble.storm import Storm
from esi_simulator.world import World

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Sleep = Callable[[float], Awaitable[object]]

NOT_MODIFIED: Final = 304
_EMPTY: Final = b""


@dataclass(frozen=True)
class Simulator:
    """ESI on localhost: plain ASGI, for speed. `sleep` is where its answers are late."""

    world: World
    routing: Routing
    control: Control
    gates: Gates
    faults: Faults
    flaky: Flaky
    storm: Storm
    stats: Stats
    latency: float
    sleep: Sleep = asyncio.sleep

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        request = await _read(scope, receive)
        if request.parts[:1] == (PREFIX,):
            reply = self._controlled(request)
            await self._send(reply, request, response_headers(reply, (), self.world.clock.now()), send)
            return
        route = self.routing.find(request)
        self.stats.arrive(route.kind, request)
        try:
            reply = await self._answered(route, request)
            told = self.gates.headers(route.kind, reply)
            await self._send(reply, request, response_headers(reply, told, self.world.clock.now()), send)
        except BaseException:
            self.stats.abandon()
            raise
        self.stats.leave(route.kind, request, reply)

    def _controlled(self, request: Request) -> Reply:
        try:
            return self.control.answer(request)
        except EsiError as error:
            return error_reply(error.status, error.message)

    async def _answered(self, route: Route, request: Request) -> Reply:
        try:
            reply = await self._served(route, request)
        except EsiError as error:
            reply = error_reply(error.status, error.message)
        self.gates.pay(route.kind, reply.status)
        return reply

    async def _served(self, route: Route, request: Request) -> Reply:
        """The route's reply, unless the client is refused or meets a fault; late if it is to be late."""
        compatibility.check(request, self.world.clock.now())
        refusal = self.gates.refusal(route.kind)
        if refusal is not None:
            return refusal
        fault = self.faults.meet(route.kind, request) or self.storm.meet(route.kind, request)
        delay = self.latency + (fault.delay if fault else 0)
        if delay:
            await self.sleep(delay)
        refusal = self.gates.refusal(route.kind) if self.storm.raging else None
        return refusal or self._made(route, request, fault)

    def _made(self, route: Route, request: Request, fault: Fault | None) -> Reply:
        wrong = (fault.reply() if fault else None) or self.flaky.meet(route.kind, request, self.world.clock.now())
        if wrong is not None:
            return wrong
        reply = route.handler(request)
        if is_known(reply, request.headers):
            reply = replace(reply, status=NOT_MODIFIED, document=Document(_EMPTY, reply.document.etag))
        return fault.distorted(reply) if fault else reply

    async def _send(self, reply: Reply, request: Request, headers: list[Header], send: Send) -> None:
        body = reply.document.body
        if len(body) > WORTH_PACKING and b"gzip" in request.headers.get(b"accept-encoding", _EMPTY):
            body = reply.document.packed()
            headers.append((b"content-encoding", b"gzip"))
        if reply.status not in {204, NOT_MODIFIED}:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if reply.cut is None or not body:
            await send({"type": "http.response.body", "body": body})
            return
        half = len(body) // 2
        await send({"type": "http.response.body", "body": body[:half], "more_body": True})
        await self.sleep(reply.cut.seconds)
        if reply.cut.finishes:  # otherwise the server closes the connection on the incomplete body
            await send({"type": "http.response.body", "body": body[half:]})


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
