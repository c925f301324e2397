"""The api's port, and serving on it."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from common.errors import FreeportError

GRACEFUL_SECONDS = 5
"""How long requests that are under way may take once a stop is asked for."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on `host`:`port`. Raises FreeportError that says which setting to change."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        # With its protocol named, asyncio sends what is written at once; else a second piece may wait for 40 ms.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise FreeportError(f"API_HOST: {host} is no address here: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise FreeportError(f"API_HOST, API_PORT: cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


async def serve_http(app: ASGIApp, listener: socket.socket) -> None:
    """Answer requests until cancelled; those under way are finished first."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        proxy_headers=False,  # whom to believe about clients' addresses is API_TRUSTED_PROXIES'
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


class _Server(uvicorn.Server):
    """Leaves signals to `common.service`, which stops everything of the process together."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
