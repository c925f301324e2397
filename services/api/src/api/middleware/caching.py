"""Answers what was asked before from memory, and what the client has already with 304.

Which routes' answers are kept is said in `api.cached_routes`, until when by `api.market`. All others pass by.
"""

import asyncio
from collections.abc import Hashable
from urllib.parse import parse_qsl

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.cached_routes import subjects_of
from api.conditional import knows, takes_gzip
from api.dependencies import Parts
from api.hot_answers import PACKED_FROM_BYTES, SHARED, Answer, HotAnswers

ORDER = 1
"""Innermost: a hit is measured, traced and limited like any other request."""
KEEP_SECONDS = 60.0
"""No answer is older, whatever the versions say."""


class Caching:
    """Keeps answers, one for each path and query, and makes each only once however many wait for it."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._market = parts.market
        self._metrics = parts.metrics
        self._hot = HotAnswers(parts.settings.api_cache_megabytes * 1024 * 1024)
        self._flights: dict[Hashable, asyncio.Future[Answer | None]] = {}
        self._clock = asyncio.get_running_loop().time
        parts.metrics.watch_cache(lambda: self._hot.size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        subjects = subjects_of(scope["path"])
        if subjects is None:
            await self._app(scope, receive, send)
            return
        key = scope["path"], _canonical(scope["query_string"])
        answer = await self._answer(key, subjects, scope, receive, send)
        if answer is not None:
            await self._send(key, answer, scope, send)

    async def _answer(
        self, key: Hashable, subjects: tuple[str, ...], scope: Scope, receive: Receive, send: Send
    ) -> Answer | None:
        """From memory, or as somebody else is just getting it, or by asking; None when it is sent already."""
        now = self._clock()
        version = self._market.version(subjects, at=now)
        if version is None:
            self._metrics.count_cached("unknown")
            return await self._ask(scope, receive, send)
        answer = self._hot.find(key, version, at=now)
        if answer is not None:
            self._metrics.count_cached("hit")
            scope["route"], scope["path_params"] = answer.route, answer.path_params
            return answer
        flight = self._flights.get((key, version))
        if flight is not None:
            answer = await asyncio.shield(flight)
            if answer is not None:
                self._metrics.count_cached("shared")
                scope["route"], scope["path_params"] = answer.route, answer.path_params
                return answer
            return await self._ask(scope, receive, send)
        self._metrics.count_cached("miss")
        flight = self._flights[key, version] = asyncio.get_running_loop().create_future()
        try:
            answer = await self._ask(scope, receive, send)
            now = self._clock()
            if answer is not None and self._market.version(subjects, at=now) == version:
                self._hot.keep(key, answer, version, until=now + KEEP_SECONDS)
            return answer
        finally:
            # Those who wait go and ask for themselves, each at once, when this one got an error.
            del self._flights[key, version]
            flight.set_result(answer)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        """What the route answers, if it is a 200 in one piece; everything else is sent on as it comes."""
        held: Message | None = None
        answer: Answer | None = None

        async def captured(message: Message) -> None:
            nonlocal held, answer
            if message["type"] == "http.response.start" and message["status"] == 200 and _silent(message):  # noqa: PLR2004 - OK
                held = message
            elif held is not None and not message.get("more_body"):
                headers = [pair for pair in held["headers"] if pair[0] != b"content-length"]
                answer = Answer(message.get("body", b""), headers, scope.get("route"), scope.get("path_params", {}))
                held = None
            else:
                if held is not None:
                    await send(held)
                    held = None
                await send(message)

        await self._app(scope, receive, captured)
        return answer

    async def _send(self, key: Hashable, answer: Answer, scope: Scope, send: Send) -> None:
        has, takes = _said(scope, b"if-none-match"), _said(scope, b"accept-encoding")
        packs = len(answer.body) >= PACKED_FROM_BYTES and takes_gzip(takes)
        own, other = (answer.packed_tag, answer.tag) if packs else (answer.tag, answer.packed_tag)
        known = has and knows(has, own, other)
        if known:
            headers = [(b"etag", known), (b"cache-control", SHARED), (b"vary", b"Accept-Encoding")]
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        if packs and answer.packed is None:
            await answer.pack()
            self._hot.weigh(key, answer)
        await send({"type": "http.response.start", "status": 200, "headers": [*answer.head(packed=packs)]})
        await send({"type": "http.response.body", "body": answer.packed if packs else answer.body})


def _said(scope: Scope, header: bytes) -> bytes:
    """All that the request says in `header`."""
    return b",".join([value for name, value in scope["headers"] if name == header])


def _silent(start: Message) -> bool:
    """Whether the route says nothing of its own about keeping its answer."""
    return all(name != b"cache-control" for name, _ in start["headers"])


def _canonical(query: bytes) -> Hashable:
    """The same for every order of different parameters. Of one name the order may mean something."""
    if b"&" not in query:
        return query
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return tuple(sorted(pairs, key=lambda pair: pair[0]))


def register_middleware(app: FastAPI) -> None:
    app.add_middleware(Caching, parts=app.state.parts)
