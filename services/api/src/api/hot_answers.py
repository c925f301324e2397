"""Complete answers as bytes, as many as a bound on memory allows, the least lately asked for given up first."""

import asyncio
import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

OVERHEAD_BYTES = 1_000
"""What an answer takes beside its bytes: objects, key, headers."""
PACKED_FROM_BYTES = 1_000
"""Below, gzip saves less than a packet."""
PACKING_LEVEL = 5
SHARED = b"public, max-age=2, s-maxage=5, stale-if-error=300"
"""Seconds, for that is what the whole chain from the game to here promises; then the tag is asked about again."""


@dataclass(slots=True, eq=False)
class Answer:
    """A 200, ready to be sent as often as it is asked for."""

    body: bytes
    headers: list[tuple[bytes, bytes]]
    route: Any
    path_params: dict[str, Any]
    tag: bytes = field(init=False)
    packed_tag: bytes = field(init=False)
    packed: bytes | None = field(init=False, default=None)
    _packing: asyncio.Future[bytes] | None = field(init=False, default=None)
    _heads: dict[bool, list[tuple[bytes, bytes]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        # From the content alone, so that all replicas agree. Each encoding is a representation of its own (RFC 9110).
        digest = hashlib.blake2b(self.body, digest_size=15).hexdigest().encode()
        self.tag, self.packed_tag = b'"%s"' % digest, b'"%s-gzip"' % digest

    @property
    def size(self) -> int:
        return len(self.body) + len(self.packed or b"") + OVERHEAD_BYTES

    def head(self, *, packed: bool) -> list[tuple[bytes, bytes]]:
        """The headers of the answer as it is, or `packed`."""
        head = self._heads.get(packed)
        if head is None:
            body = (self.packed or b"") if packed else self.body
            head = self._heads[packed] = [
                *self.headers,
                *([(b"content-encoding", b"gzip")] if packed else []),
                (b"content-length", b"%d" % len(body)),
                (b"etag", self.packed_tag if packed else self.tag),
                (b"cache-control", SHARED),
                (b"vary", b"Accept-Encoding"),
            ]
        return head

    async def pack(self) -> bytes:
        """The body gzipped: once, however many ask at a time, and beside the event loop."""
        if self.packed is None:
            if self._packing is None:
                self._packing = asyncio.get_running_loop().run_in_executor(None, _pack, self.body)
            self.packed = await asyncio.shield(self._packing)
            self._packing = None
        return self.packed


@dataclass(slots=True)
class _Kept:
    answer: Answer
    version: int
    until: float
    size: int


class HotAnswers:
    """Keeps answers, each for one version and one minute."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self.size = 0

    def find(self, key: Hashable, version: int, *, at: float) -> Answer | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.version != version or kept.until < at:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.answer

    def keep(self, key: Hashable, answer: Answer, version: int, *, until: float) -> None:
        """Keep `answer` as `key` until the version changes or the time is `until`, if it is not too big."""
        self._drop(key)
        if answer.size > self._most_bytes / 8:  # it would drive out too many others
            return
        self._kept[key] = _Kept(answer, version, until, answer.size)
        self.size += answer.size
        self._make_room()

    def weigh(self, key: Hashable, answer: Answer) -> None:
        """Count what `answer` has become bigger by since it was kept."""
        kept = self._kept.get(key)
        if kept is not None and kept.answer is answer:
            self.size += answer.size - kept.size
            kept.size = answer.size
            self._make_room()

    def _make_room(self) -> None:
        while self.size > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self.size -= kept.size


def _pack(body: bytes) -> bytes:
    return zlib.compress(body, PACKING_LEVEL, wbits=31)
