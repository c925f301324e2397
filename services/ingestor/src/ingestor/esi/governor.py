"""Every upstream request passes here: so many at once, none while ESI wants none, few when errors run out.

Limits are per source address, so what one replica learns of them holds for all: see `ingestor.esi.limits`.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from common.logs import get_logger
from ingestor.domain.budget import ERRORS_ALLOWED, WINDOW_SECONDS, ErrorBudget, TokenBucket, allowance
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.precedence import Precedence

log = get_logger(__name__)

EVERYTHING = "errors"
"""The name of what holds for all routes: ESI's error limit, and its absence."""
LONGEST_PAUSE_SECONDS = 900.0
LEAST_PAUSE_SECONDS = 1.0
"""After a refusal that asks for none at all: ESI's headers know whole seconds only."""
SAME_PAUSE_SECONDS = 1.0
"""Upstream tells whole seconds: by less than one, a refusal of requests that were under way says nothing new."""
FAILURES_IN_A_ROW = 10
"""After so many answers of ESI's own failure and none other it is taken for down, and asked one request at a time."""
DOWN_SECONDS = (2.0, 5.0, 10.0, 20.0, 30.0)
"""Pauses while it is down; the last one repeats."""
_FIRST_ERROR, _FIRST_FAILURE = 400, 500


class Share(Enum):
    """What a request is for, and so which part of the limits it may use."""

    DISCOVERY = "discovery"
    """Lists of regions. They are few, and what is new is known by them."""
    BULK = "bulk"
    """All else: a backlog of it never delays discovery."""

    @property
    def errors_reserved(self) -> int:
        """Errors of ESI's budget that are left unspent."""
        return 10 if self is Share.DISCOVERY else 30

    @property
    def tokens_reserved(self) -> float:
        """The part of a token bucket that is left unspent."""
        return 0.02 if self is Share.DISCOVERY else 0.1


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing of `name` is asked before `until`, on our monotonic clock."""

    name: str
    until: float
    reason: str


class Governor:
    """The limits of one process, which knows of the others what `told` is given."""

    def __init__(self, concurrency: int, *, down_seconds: Sequence[float] = DOWN_SECONDS) -> None:
        self._concurrency = concurrency
        self._down_seconds = down_seconds
        self._bulk = max(concurrency - concurrency // 8, 1)
        self._under_way = {Share.DISCOVERY: 0, Share.BULK: 0}
        self._waiting: dict[Share, deque[asyncio.Future[None]]] = {share: deque() for share in Share}
        self._pauses: dict[str, Pause] = {}
        self._groups: dict[str, str] = {}
        self._failures = 0
        self._down = 0
        self._answered = False
        self.errors = ErrorBudget()
        self.buckets: dict[str, TokenBucket] = {}
        self.replicas = 1
        self.precedence = Precedence(self._let_in)
        self.on_pause: Callable[[Pause], None] = lambda _: None
        """Called with every pause that this process begins, to tell the others."""

    @property
    def under_way(self) -> int:
        """Requests that hold a slot now."""
        return self._under_way[Share.DISCOVERY] + self._under_way[Share.BULK]

    @asynccontextmanager
    async def admitted(self, path: str = "", share: Share = Share.BULK) -> AsyncIterator[None]:
        """Hold one of the request slots. Raises `UpstreamUnavailableError` during a pause rather than wait in it."""
        await self.enter(path, share)
        try:
            yield
        finally:
            self.leave(share)

    async def enter(self, path: str, share: Share) -> None:
        """Take a slot, as `admitted` does; `leave` has to follow."""
        self._refuse(path, share)
        if self._has_room(share) and not self._waiting[share]:
            self._under_way[share] += 1
            return
        await self._turn(share)
        try:
            self._refuse(path, share)
        except UpstreamUnavailableError:
            self.leave(share)
            raise

    def leave(self, share: Share) -> None:
        """Give the slot back."""
        self._under_way[share] -= 1
        self._let_in()

    def observe(self, path: str, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer. Headers that are absent or unreadable leave everything as it is."""
        self._answered = True
        self._count(status)
        now = time.monotonic()
        group = headers.get("X-Ratelimit-Group")
        if group:
            self._observe_bucket(path, group, headers, now)
        if status in {420, 429}:
            if status == 429 and group:  # noqa: PLR2004
                self._refused(status, headers, group)
                self._refused(status, headers, route(path))  # for replicas that do not know its group yet
            else:
                self._refused(status, headers, EVERYTHING)
            return
        remain = seconds(headers.get("X-Esi-Error-Limit-Remain"))
        if remain is not None and (remain > 0 or status >= _FIRST_ERROR):  # at none left there would be no success
            self.errors.observe(remain, seconds(headers.get("X-Esi-Error-Limit-Reset")), now)

    def failed(self) -> None:
        """No answer came. ESI may have counted an error for it."""
        if self.errors.remaining is not None:
            self.errors.remaining = max(self.errors.remaining - 1, 0)
        self._count(_FIRST_FAILURE)

    def pause(self, wait: float, reason: str, name: str = EVERYTHING) -> None:
        """Admit nothing of `name` for `wait` seconds; a longer pause that is under way stands."""
        now = time.monotonic()
        pause = Pause(name, now + min(wait, LONGEST_PAUSE_SECONDS), reason)
        standing = self._pauses.get(name)
        is_news = standing is None or standing.until <= now or pause.until > standing.until + SAME_PAUSE_SECONDS
        if self.adopt(pause) and is_news:
            log.warning("upstream paused", of=name, seconds=round(wait, 1), why=reason)
            self.on_pause(pause)

    def adopt(self, pause: Pause) -> bool:
        """Keep to a pause, whoever began it; False when a longer one is under way."""
        standing = self._pauses.get(pause.name)
        if standing is not None and standing.until >= pause.until:
            return False
        self._pauses[pause.name] = pause
        if pause.name == EVERYTHING:
            self._turn_away()
        return True

    def paused(self, path: str = "") -> Pause | None:
        """The pause that keeps `path` from being asked now."""
        if not self._pauses:
            return None
        now = time.monotonic()
        kind = route(path)
        for name in (EVERYTHING, kind, self._groups.get(kind, "")):
            pause = self._pauses.get(name)
            if pause is not None and pause.until > now:
                return pause
        return None

    def routes_of(self, group: str) -> list[str]:
        """The routes whose answers named this token bucket."""
        return sorted(each for each, of in self._groups.items() if of == group)

    async def _turn(self, share: Share) -> None:
        """Wait until whoever makes room takes a slot for us."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[share].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave(share)
            raise

    def _refuse(self, path: str, share: Share) -> None:
        pause = self.paused(path)
        if pause is not None:
            left = pause.until - time.monotonic()
            raise UpstreamUnavailableError(f"paused: {pause.reason}", timedelta(seconds=left + 0.05))
        now = time.monotonic()
        if self._at_once(share) == 0:
            left = self.errors.resets_at - now
            reason = f"paused: {self.errors.left(now)} errors left in ESI's window"
            raise UpstreamUnavailableError(reason, timedelta(seconds=left + 0.05))
        bucket = self.buckets.get(self._groups.get(route(path), "")) if self._groups else None
        if bucket is not None and bucket.left(now) < bucket.allowance * share.tokens_reserved:
            reason = f"paused: {bucket.remaining} tokens left of {bucket.allowance}"
            raise UpstreamUnavailableError(reason, timedelta(seconds=bucket.window_seconds / 15))

    def _has_room(self, share: Share) -> bool:
        total = self.under_way
        if self._failures >= FAILURES_IN_A_ROW:
            return total < 1
        at_once = self._at_once(share)
        if at_once is not None and total >= max(at_once, 1):
            return False
        if total >= self._concurrency:
            return False
        return share is Share.DISCOVERY or (self._under_way[share] < self._bulk and not self.precedence.is_given())

    def _at_once(self, share: Share) -> int | None:
        """How many requests may be under way for all that is known of errors; None means no limit.

        Before the first answer that is as if they were counted: replicas that start while everything fails must not
        spend them all before they hear of it.
        """
        known = self.errors.at_once(time.monotonic(), reserve=share.errors_reserved, replicas=self.replicas)
        return known if self._answered else max((ERRORS_ALLOWED - share.errors_reserved) // self.replicas, 1)

    def _let_in(self) -> None:
        for share in Share:
            waiting = self._waiting[share]
            while waiting and self._has_room(share):
                self._hand_slot(share, waiting.popleft())

    def _hand_slot(self, share: Share, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            self._under_way[share] += 1
            turn.set_result(None)

    def _turn_away(self) -> None:
        """Those that wait for a slot need not wait for the pause too: let them see it."""
        for share, waiting in self._waiting.items():
            while waiting:
                self._hand_slot(share, waiting.popleft())

    def _count(self, status: int) -> None:
        if status < _FIRST_FAILURE:
            recovered, self._failures, self._down = self._failures >= FAILURES_IN_A_ROW, 0, 0
            if recovered:
                self._let_in()
            return
        self._failures += 1
        if self._failures >= FAILURES_IN_A_ROW and self.paused() is None:
            self.pause(self._down_seconds[min(self._down, len(self._down_seconds) - 1)], "ESI fails again and again")
            self._down += 1

    def _refused(self, status: int, headers: Mapping[str, str], name: str) -> None:
        wait = seconds(headers.get("Retry-After"))
        if wait is None:
            wait = seconds(headers.get("X-Esi-Error-Limit-Reset"))
        self.pause(WINDOW_SECONDS if wait is None else max(wait, LEAST_PAUSE_SECONDS), f"ESI answered {status}", name)

    def _observe_bucket(self, path: str, group: str, headers: Mapping[str, str], now: float) -> None:
        self._groups[route(path)] = group
        granted = allowance(headers.get("X-Ratelimit-Limit", ""))
        remaining = seconds(headers.get("X-Ratelimit-Remaining"))
        if granted is not None and remaining is not None:
            self.buckets[group] = TokenBucket(*granted, int(min(remaining, granted[0])), now)


_NUMBER = re.compile(r"\d+")


def route(path: str) -> str:
    """What kind of path it is: its numbers do not matter."""
    return _NUMBER.sub("*", path)


def seconds(header: str | None) -> float | None:
    """A header's number of seconds (or count), or None for what is absent, negative, infinite or no number."""
    try:
        number = float(header) if header else -1.0
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
