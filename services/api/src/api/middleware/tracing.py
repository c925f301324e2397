"""Ties a request to its log lines and messages, and says in one line how it went."""

import time

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.logs import get_logger
from common.telemetry import Trace, continued, tracing

ORDER = 9020

log = get_logger("api.access")


class Tracing:
    """Honours and returns `X-Request-ID` and `traceparent`; logs method, path, status and milliseconds, no query."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500
        with tracing(continued(_said(scope, b"traceparent"), _said(scope, b"x-request-id"))) as trace:
            signature = _signature(trace)

            async def traced(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message = {**message, "headers": [*message.get("headers", ()), *signature]}
                await send(message)

            try:
                await self._app(scope, receive, traced)
            finally:
                _say(scope, status, time.perf_counter() - began)


def _said(scope: Scope, header: bytes) -> str | None:
    for name, value in scope["headers"]:
        if name == header:
            said: str = value.decode("latin-1")
            return said
    return None


def _signature(trace: Trace) -> list[tuple[bytes, bytes]]:
    return [(b"x-request-id", trace.request_id.encode()), (b"traceparent", trace.traceparent.encode())]


def _say(scope: Scope, status: int, seconds: float) -> None:
    """Probes and scrapes come every few seconds for ever; while they go well they are not worth a line."""
    probe = scope["path"].startswith(("/health", "/metrics")) and status < 400  # noqa: PLR2004 - the first of the error statuses
    tell = log.debug if probe else log.info
    tell("request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1))


def register_middleware(app: FastAPI) -> None:
    app.add_middleware(Tracing)
