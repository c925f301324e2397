"""Downloads of any size: copied out of PostgreSQL no faster than the client takes them, in constant memory."""

import asyncio
import json
import sys
import zlib
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.conditional import takes_gzip
from api.problems import InvalidRequestError
from api.queries.export import COLUMNS, Copy, copy_of
from api.queries.known import unknown_values
from api.queries.search import understand
from api.schemas.export import ExportFormat, ExportQuery
from api.settings import ApiSettings
from common.errors import FreeportError
from common.logs import get_logger

log = get_logger(__name__)

PATIENCE_SECONDS = 60.0
"""Ends an export in which nothing moves for so long: no row comes, or the client takes none."""
RETRY_AFTER = {"Retry-After": "30"}
READ_BYTES = 256 * 1024
PACKING_LEVEL = 1
MEDIA_TYPES = {
    ExportFormat.NDJSON: "application/x-ndjson",
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.PARQUET: "application/vnd.apache.parquet",
}

Sink = Callable[[bytes], Awaitable[None]]


class ExportError(FreeportError):
    """An export broke off."""


class Exports:
    """Lets so many exports run at once, each on a connection of its own, so that the others' are never short."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._running = 0

    def of(self, query: ExportQuery) -> Response:
        """The download that `query` asks for; whatever is wrong with it is said before it begins."""
        return _Download(self, query)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A place among the exports, and the connection that comes with it. Raises HTTPException if none is free.

        The server gives up on its own when the client at the other end is gone.
        """
        if self._running >= self._settings.api_exports:
            raise HTTPException(503, "As many exports as may run at once are running", RETRY_AFTER)
        self._running += 1
        try:
            connection = await asyncpg.connect(
                self._settings.dsn(),
                timeout=5,
                server_settings={
                    "application_name": "freeport-api-export",
                    "timezone": "UTC",
                    "jit": "off",
                    "default_transaction_read_only": "on",
                    "max_parallel_workers_per_gather": "0",
                    "client_connection_check_interval": "1s",
                },
            )
            try:
                async with asyncio.timeout(self._settings.api_export_timeout):
                    yield connection
            finally:
                connection.terminate()
        finally:
            self._running -= 1


class _Download(Response):
    def __init__(self, exports: Exports, query: ExportQuery) -> None:
        super().__init__()
        self._exports = exports
        self._query = query

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Copy until all is sent or the client is gone."""
        copying = asyncio.ensure_future(self._copy(scope, send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({copying, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if copying.done():
                copying.result()
            else:
                log.info("export left by its client", format=self._query.format)
        finally:
            for task in (copying, leaving):
                task.cancel()
            await asyncio.gather(copying, leaving, return_exceptions=True)

    async def _copy(self, scope: Scope, send: Send) -> None:
        async with self._exports.connection() as connection:
            unknown = await unknown_values(connection, self._query)
            if unknown:
                raise InvalidRequestError(unknown)
            written = self._query.format
            sending = _Sending(send, written, packed=written is not ExportFormat.PARQUET and _wants_gzip(scope))
            if scope.get("headless"):
                await sending.end()
                return
            search = await understand(connection, self._query.q) if self._query.q is not None else None
            copy = copy_of(self._query, search, written)
            async with asyncio.timeout(PATIENCE_SECONDS) as patience:
                moving = _moving(patience)
                if written is ExportFormat.PARQUET:
                    await _as_parquet(connection, copy, _after(moving, sending.add), moving)
                else:
                    await _copy_out(connection, copy, _after(moving, sending.add))
                await sending.end()


class _Sending:
    """The answer as it is sent: it begins with the first bytes, so that an error before those is still an answer."""

    def __init__(self, send: Send, written: ExportFormat, *, packed: bool) -> None:
        self._send = send
        self._written = written
        self._packer = zlib.compressobj(PACKING_LEVEL, wbits=31) if packed else None
        self._begun = False

    async def add(self, chunk: bytes) -> None:
        if self._packer is not None:
            chunk = await asyncio.to_thread(self._packer.compress, chunk)
        await self._pass_on(chunk)

    async def end(self) -> None:
        await self._pass_on(self._packer.flush() if self._packer is not None else b"", more=False)

    async def _pass_on(self, chunk: bytes, *, more: bool = True) -> None:
        if not self._begun:
            self._begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers()})
        if chunk or not more:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    def _headers(self) -> list[tuple[bytes, bytes]]:
        packed = [(b"content-encoding", b"gzip")] if self._packer is not None else []
        return [
            (b"content-type", MEDIA_TYPES[self._written].encode()),
            (b"content-disposition", f'attachment; filename="contracts.{self._written}"'.encode()),
            (b"cache-control", b"no-store"),
            (b"vary", b"Accept-Encoding"),
            *packed,
        ]


async def _copy_out(connection: Any, copy: Copy, sink: Sink) -> None:
    """PostgreSQL is read no faster than `sink` takes it."""
    await connection.copy_from_query(copy.query, *copy.arguments, output=sink, **copy.options)


async def _as_parquet(connection: Any, copy: Copy, sink: Sink, moving: Callable[[], None]) -> None:
    """Through a process that writes Parquet: neither its memory nor its work are the api's."""
    kinds = json.dumps({column.name: column.kind for column in COLUMNS})
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.parquet", kinds),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=READ_BYTES,
    )
    assert writer.stdout is not None
    feeding = asyncio.ensure_future(_feed(connection, copy, writer, moving))
    try:
        while chunk := await writer.stdout.read(READ_BYTES):
            await sink(chunk)
        await feeding
        if await writer.wait() != 0:
            raise ExportError("the process that writes Parquet failed")
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        if writer.returncode is None:
            writer.kill()
            await writer.wait()


async def _feed(connection: Any, copy: Copy, writer: Process, moving: Callable[[], None]) -> None:
    """Copy into `writer`. If that fails it is ended at once: it must not take what it has for all there is."""
    into = writer.stdin
    assert into is not None

    async def write(chunk: bytes) -> None:
        into.write(chunk)
        await into.drain()

    try:
        await _copy_out(connection, copy, _after(moving, write))
    except BaseException:
        if writer.returncode is None:
            writer.kill()
        raise
    into.close()


def _moving(patience: asyncio.Timeout) -> Callable[[], None]:
    loop = asyncio.get_running_loop()
    return lambda: patience.reschedule(loop.time() + PATIENCE_SECONDS)


def _after(moving: Callable[[], None], sink: Sink) -> Sink:
    """`sink`, with new patience before and after each chunk."""

    async def sunk(chunk: bytes) -> None:
        moving()
        await sink(chunk)
        moving()

    return sunk


def _wants_gzip(scope: Scope) -> bool:
    return takes_gzip(b",".join(value for name, value in scope["headers"] if name == b"accept-encoding"))


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
