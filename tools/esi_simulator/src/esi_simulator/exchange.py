"""A request as the routes see it, and the replies they give."""

import gzip
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha224
from time import gmtime, strftime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import orjson

from esi_simulator.errors import EsiError

Header = tuple[bytes, bytes]

LONGEST_NUMBER: Final = 18
"""Digits of a number that 64 bits hold in any case."""
WORTH_PACKING: Final = 2000
"""Bytes; below it gzip costs more than it saves."""


@dataclass(frozen=True, slots=True)
class Request:
    """Method, path in parts without prefix and slashes, raw query, and the headers that matter."""

    method: str
    parts: tuple[str, ...]
    query: str
    headers: dict[bytes, bytes]
    body: bytes = b""

    @property
    def target(self) -> str:
        """Path and query, for matching faults."""
        return f"/{'/'.join(self.parts)}?{self.query}"

    def page(self) -> int:
        """The page asked for, 1 when none is; 400 when it is no page number."""
        text = self.parameter("page") or "1"
        if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER and int(text)):
            raise EsiError(400, "page must be an integer of at least 1")
        return int(text)

    def parameter(self, name: str) -> str | None:
        """A parameter of the query, the last one where it is repeated."""
        if f"{name}=" not in self.query:
            return None
        return parse_qs(self.query, keep_blank_values=True).get(name, [None])[-1]


class Document:
    """A body that is served more than once: its ETag and its packed form are made once."""

    __slots__ = ("_packed", "body", "etag")

    def __init__(self, body: bytes, etag: bytes | None = None) -> None:
        self.body = body
        self.etag = etag or b'"%s"' % sha224(body, usedforsecurity=False).hexdigest().encode()
        self._packed: bytes | None = None

    def packed(self) -> bytes:
        """The body in gzip, without a time stamp: equal bodies pack equally."""
        if self._packed is None:
            self._packed = gzip.compress(self.body, compresslevel=4, mtime=0)
        return self._packed


class Cut(NamedTuple):
    """A body of which half is sent, then nothing for so many seconds, then the rest, or the connection's end."""

    seconds: float
    finishes: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out; a cacheable reply has a document with both instants, in seconds since 1970."""

    status: int
    document: Document
    modified: float | None = None
    expires: float | None = None
    pages: int | None = None
    fresh: bool = True
    """Whether the simulator had to make it for this request: X-Esi-Cache-Status says so."""
    headers: tuple[Header, ...] = field(default=())
    cut: Cut | None = None


NOTHING: Final = Document(b"")


def to_json(content: Any) -> bytes:
    """Compact, keys in alphabetical order as ESI has them."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def error_reply(status: int, message: str) -> Reply:
    """ESI's envelope around a message."""
    return Reply(status, Document(to_json({"error": message})))


@lru_cache(maxsize=4096)
def http_date(seconds: int) -> bytes:
    """An instant as HTTP writes it."""
    return strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime(seconds)).encode()
