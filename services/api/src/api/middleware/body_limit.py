"""Requests are small: a body that is not is refused while it comes in, whatever its Content-Length says."""

from fastapi import FastAPI, HTTPException, status
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ORDER = 10

MAX_BYTES = 64 * 1024


class BodyLimit:
    """Answers 413 to a body of more than `MAX_BYTES`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = 0

        async def limited() -> Message:
            nonlocal received
            declared = Headers(scope=scope).get("content-length", "0")
            if declared.isdecimal() and int(declared) > MAX_BYTES:
                raise _too_large()
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BYTES:
                raise _too_large()
            return message

        await self._app(scope, limited, send)


def _too_large() -> HTTPException:
    return HTTPException(status.HTTP_413_CONTENT_TOO_LARGE, f"A body may have {MAX_BYTES} bytes")


def register_middleware(app: FastAPI) -> None:
    app.add_middleware(BodyLimit)
