"""Forgiving about the request line: a trailing slash is no other page, and HEAD is GET without the body."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ORDER = 20


class Paths:
    """Takes slashes off the end of the path, without a redirect, and answers HEAD wherever GET is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headless = scope["method"] == "HEAD"
        if not headless and not scope["path"].endswith("/"):
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app(
            {
                **scope,
                "method": "GET" if headless else scope["method"],
                "path": scope["path"].rstrip("/") or "/",
                "headless": headless,
            },
            receive,
            without_body if headless else send,
        )


def register_middleware(app: FastAPI) -> None:
    app.add_middleware(Paths)
