"""Opaque cursors: where a page ended, bound to the list it was made for."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from api.problems import InvalidRequestError

Key = datetime | Decimal | float | int | None
"""What a list is sorted by; None where it stands among those that have no such value."""

PAGING = frozenset({"limit", "cursor", "page", "size", "fields", "count"})
"""Parameters that say what is shown of a list, not which list it is."""

_SEAL_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NOT_ONE = InvalidRequestError({"cursor": "is not a cursor"})


@dataclass(frozen=True, slots=True)
class Position:
    """A row at the end of a page: what the list is sorted by, and the number that breaks ties.

    `backwards`: the page is wanted that ends before it, not the one that begins behind it. `part`: in which part of the
    list it stands, where a list is made of several, one after the other.
    """

    key: Key
    tie: int
    backwards: bool = False
    part: int = 0

    @property
    def at(self) -> datetime:
        """The key of a list that is sorted by an instant."""
        assert isinstance(self.key, datetime)
        return self.key


def cursor_after(position: Position, query: BaseModel) -> str:
    """The cursor of the page at `position` in the list that `query` asks for."""
    members = [*_packed(position.key), position.tie, position.backwards, position.part]
    told = json.dumps(members, separators=(",", ":")).encode()
    return urlsafe_b64encode(_seal(told, query) + told).decode().rstrip("=")


def position_of(cursor: str | None, query: BaseModel, *, greatest_tie: int) -> Position | None:
    """Where `cursor` points, None without one. Raises InvalidRequestError if it is not one of this very list's."""
    if cursor is None:
        return None
    try:
        sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (ValueError, Base64Error):
        raise _NOT_ONE from None
    seal, told = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(told, query)):
        raise InvalidRequestError({"cursor": "was changed, or belongs to a list with other filters or another order"})
    try:
        kind, packed, tie, backwards, part = json.loads(told)
        position = Position(_unpacked(kind, packed), int(tie), bool(backwards), int(part))
    except (ValueError, TypeError, KeyError, ArithmeticError):
        raise _NOT_ONE from None
    if not 0 <= position.tie <= greatest_tie:
        raise _NOT_ONE
    return position


def _packed(key: Key) -> tuple[str, Any]:
    match key:
        case datetime():
            return "t", (key - _EPOCH) // _MICROSECOND
        case Decimal():
            return "d", str(key)
        case float():
            return "f", key
        case int():
            return "i", key
        case None:
            return "n", None


def _unpacked(kind: str, packed: Any) -> Key:
    match kind:
        case "t":
            return _EPOCH + int(packed) * _MICROSECOND
        case "d":
            return Decimal(packed)
        case "f":
            return float(packed)
        case "i":
            return int(packed)
    return None


def _seal(told: bytes, query: BaseModel) -> bytes:
    """Proves that `told` was made for this list and not altered since: no secret, for it gives nobody any right."""
    filters = query.model_dump(mode="json", exclude=set(PAGING), exclude_defaults=True)
    for value in filters.values():
        if isinstance(value, list):
            value.sort()
    asked = json.dumps(filters, sort_keys=True).encode()
    return hashlib.blake2b(told + b"\x00" + asked, digest_size=_SEAL_BYTES, person=b"freeport cursor").digest()
