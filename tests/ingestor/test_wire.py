"""HTTP as it comes over a connection: whole, in pieces, too late, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from ingestor.esi.wire import Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Pages: 7\r\n\r\nhi"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def wire_to(serve: Serve, *, limit: float = 5.0) -> AsyncIterator[Wire]:
    serving: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Wire(f"http://127.0.0.1:{port}/base", {"User-Agent": "tests"}, limit) as wire:
        yield wire
    server.close()
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    await asyncio.sleep(0.01)


def saying(*pieces: bytes, hang_up: bool = False) -> tuple[Serve, list[bytes]]:
    """A server that says the pieces one after the other to each request, and what it was asked, by connection."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(b"")
        place = len(heads) - 1
        while head := await _head(reader):
            heads[place] += head
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if hang_up:
                break

    return serve, heads


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def test_requests_one_after_the_other_share_a_connection() -> None:
    serve, heads = saying(OK)
    async with wire_to(serve) as wire:
        answers = [await wire.request("GET", f"/{number}", headers={"If-None-Match": '"x"'}) for number in range(3)]

    assert [(answer.status, answer.body, answer.headers["x-pages"]) for answer in answers] == [(200, b"hi", "7")] * 3
    (head,) = heads
    assert head.startswith(b"GET /base/0 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert head.count(b'If-None-Match: "x"\r\n') == head.count(b"User-Agent: tests\r\n") == 3


async def test_requests_at_once_have_a_connection_each() -> None:
    serve, heads = saying(OK)
    async with wire_to(serve) as wire:
        await asyncio.gather(*(wire.request("GET", "/") for _ in range(5)))
        await asyncio.gather(*(wire.request("GET", "/") for _ in range(5)))

    assert len(heads) == 5


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ([OK[:9], OK[9:40], OK[40:]], b"hi"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nhi\r\n", b"1\r\n!\r\n0\r\n\r\n"], b"hi!"),
        ([b"HTTP/1.1 103 Early Hints\r\n\r\n", OK], b"hi"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
        ([b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'], b""),
        ([b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Pages: 1\r\n\r\n", b"until", b" the end"], b"until the end"),
    ],
)
async def test_a_body_is_whole_however_it_is_framed(said: list[bytes], body: bytes) -> None:
    serve, _ = saying(*said, hang_up=b"until" in said)
    async with wire_to(serve) as wire:
        assert (await wire.request("GET", "/")).body == body


@pytest.mark.parametrize(
    "said",
    [
        [],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"half"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"5\r\nhal"],
        [b"HTTP/1.1 200 OK\r\nContent-Le"],
        [b"no HTTP at all\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 100],
    ],
)
async def test_what_breaks_off_is_an_error_and_never_a_shorter_body(said: list[bytes]) -> None:
    serve, _ = saying(*said, hang_up=True)
    async with wire_to(serve) as wire:
        with pytest.raises(ConnectionError):
            await wire.request("GET", "/")


async def test_silence_ends_in_time_and_its_connection_is_not_used_again() -> None:
    serve, heads = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    async with wire_to(serve, limit=0.1) as wire:
        for _ in range(2):
            with pytest.raises(TimeoutError, match="no whole answer"):
                await wire.request("GET", "/")

    assert len(heads) == 2


async def test_a_connection_that_was_closed_while_it_was_idle_is_replaced_unseen() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await _head(reader))
        writer.write(OK)
        if len(asked) == 1:
            await _head(reader)  # the second request arrives, and the server has hung up

    async with wire_to(serve) as wire:
        answers = [(await wire.request("POST", "/", body=b"[1]")).body for _ in range(2)]

    assert answers == [b"hi", b"hi"]
    assert len(asked) == 2


async def test_who_gives_up_waiting_takes_no_answer_from_the_next() -> None:
    hold = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await _head(reader)
        if b"/slow" in first:
            await hold.wait()
        writer.write(OK.replace(b"hi", first.split()[1][-2:]))
        await writer.drain()

    async with wire_to(serve) as wire:
        slow = asyncio.create_task(wire.request("GET", "/slow"))
        await asyncio.sleep(0.05)
        slow.cancel()
        assert (await wire.request("GET", "/ab")).body == b"ab"
        hold.set()
        assert slow.cancelled()


def test_it_runs_on_the_loop_that_the_services_run_on() -> None:
    async def ask() -> bytes:
        serve, _ = saying(OK)
        async with wire_to(serve) as wire:
            return (await wire.request("GET", "/")).body

    assert uvloop.run(ask()) == b"hi"
