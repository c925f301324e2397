"""ESI's response headers, and its answers to conditional requests."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from os import urandom
from typing import Final

from esi_simulator.exchange import Header, Reply, http_date

COMMON: Final[tuple[Header, ...]] = (
    (b"access-control-allow-origin", b"*"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"vary", b"Accept-Encoding, Accept-Language, X-Compatibility-Date, X-Tenant"),
    (b"x-compatibility-date", b"2020-01-01"),
)
_JSON: Final[tuple[Header, ...]] = ((b"content-language", b"en"), (b"content-type", b"application/json"))
_OK: Final = 200


def response_headers(reply: Reply, limits: tuple[Header, ...], now: float) -> list[Header]:
    """All headers but those that depend on the body's encoding; `limits` are those of the limit that is told."""
    headers = [
        *COMMON,
        *(_JSON if reply.document.body else ()),
        (b"date", http_date(int(now))),
        *limits,
        (b"x-esi-request-id", _request_id()),
        *reply.headers,
    ]
    if reply.modified is not None and reply.expires is not None:
        headers += (
            (b"cache-control", b"public"),
            (b"etag", reply.document.etag),
            (b"expires", http_date(int(reply.expires))),
            (b"last-modified", http_date(int(reply.modified))),
            (b"x-esi-cache-status", b"MISS" if reply.fresh else b"HIT"),
        )
    if reply.pages is not None:
        headers.append((b"x-pages", b"%d" % reply.pages))
    return headers


def is_known(reply: Reply, headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client has this already: 304 then. If-None-Match decides alone where both are sent."""
    if reply.status != _OK or reply.modified is None:
        return False
    tags = headers.get(b"if-none-match")
    if tags is not None:
        return tags.strip() == b"*" or _opaque(reply.document.etag) in {_opaque(tag) for tag in tags.split(b",")}
    since = headers.get(b"if-modified-since")
    return since is not None and _is_since(since, reply.modified)


def _request_id() -> bytes:
    """A random UUID in a third of the time that the uuid module takes."""
    text = urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}".encode()


def _opaque(tag: bytes) -> bytes:
    """Weak comparison: the mark does not count."""
    return tag.strip().removeprefix(b"W/")


def _is_since(since: bytes, modified: float) -> bool:
    try:
        return parsedate_to_datetime(since.decode("latin-1")).timestamp() >= int(modified)
    except ValueError:
        return False
