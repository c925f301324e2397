"""Opaque cursors: where a page ended, bound to the filters it was made with."""

import hashlib
import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from api.problems import InvalidRequestError

_LAYOUT = struct.Struct(">8sq16s")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page: its instant, and the number that breaks ties."""

    at: datetime
    tie: int


def cursor_after(position: Position, query: BaseModel) -> str:
    """The cursor of the page that follows `position` in the list that `query` asks for."""
    micros = (position.at - _EPOCH) // _MICROSECOND
    packed = _LAYOUT.pack(_fingerprint(query), micros, position.tie.to_bytes(16, "big"))
    return urlsafe_b64encode(packed).decode().rstrip("=")


def position_of(cursor: str | None, query: BaseModel, *, greatest_tie: int) -> Position | None:
    """Where `cursor` points, None without one. Raises InvalidRequestError if it is not one of this very list's."""
    if cursor is None:
        return None
    try:
        fingerprint, micros, tie = _LAYOUT.unpack(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        position = Position(_EPOCH + micros * _MICROSECOND, int.from_bytes(tie, "big"))
    except (ValueError, Base64Error, struct.error, OverflowError):
        raise InvalidRequestError({"cursor": "is not a cursor"}) from None
    if fingerprint != _fingerprint(query):
        raise InvalidRequestError({"cursor": "belongs to a list with other filters"})
    if position.tie > greatest_tie:
        raise InvalidRequestError({"cursor": "is not a cursor"})
    return position


def _fingerprint(query: BaseModel) -> bytes:
    filters = query.model_dump(mode="json", exclude={"limit", "cursor"})
    for value in filters.values():
        if isinstance(value, list):
            value.sort()
    return hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).digest()[:8]
