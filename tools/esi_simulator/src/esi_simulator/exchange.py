"""A request as the routes see it, and the replies they give."""

import gzip
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha224
from time import gmtime, strftime
from typing import Any, Final
from urllib.parse import parse_qs

import orjson

from esi_simulator.errors import EsiError

Header = tuple[bytes, bytes]

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
        if "page=" not in self.query:
            return 1
        text = parse_qs(self.query).get("page", ["1"])[-1]
        if not text.isdecimal() or int(text) < 1:
            raise EsiError(400, "page must be an integer of at least 1")
        return int(text)


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
