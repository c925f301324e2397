"""The one way to ask ESI: a shared connection pool, our name on every request, retries under the governor."""

import asyncio
import random
import re
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Self
from urllib.parse import urlencode

import msgspec

from common import clock
from ingestor.domain.downtime import in_downtime
from ingestor.domain.upstream_clock import UpstreamClock
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.governor import Governor, Share, route
from ingestor.esi.wire import Wire
from ingestor.settings import IngestorSettings

COMPATIBILITY_DATE = "2026-08-18"
"""The version of ESI's routes that this code was written against."""
RETRY_SECONDS = (0.3, 1.0)
"""Before the second and the third request for the same."""
RETRIES_WITHIN_SECONDS = 40.0
"""After a request has taken this long, with its repeats, it is not repeated any more."""
LONGEST_FRESH = timedelta(hours=2)
"""No list is cached for longer than half an hour; a wrong Expires must not end the reading of a region."""

_SPAM = re.compile(rb"ConStopSpamming.*?remainingTime\D+(\d+)")
"""The game's own limiter; it counts in microseconds. Source: esi-issues #636."""
_NO_PAGE = b"Requested page does not exist"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read to its end; `received` on our monotonic clock."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received: float
    clock: UpstreamClock

    @property
    def fresh_for(self) -> timedelta:
        """Until `Expires`, on upstream's clock as well as we know it; nothing where the answer does not say."""
        expires = _instant(self.headers.get("Expires"))
        if expires is None or _instant(self.headers.get("Date")) is None:
            return timedelta()
        return min(timedelta(seconds=self.clock.left(expires, self.received)), LONGEST_FRESH)

    @property
    def past_the_end(self) -> bool:
        """Whether a page after the first is not there (any more). By some of its paths ESI says so with a 500.

        Of another answer its words prove nothing: a contract's title may hold them.
        """
        return self.status == 404 or (self.status == 500 and _NO_PAGE in self.body)  # noqa: PLR2004

    def error(self) -> str:
        """ESI's own words for what went wrong."""
        try:
            words = str(msgspec.json.decode(self.body)["error"])[:300]
        except (msgspec.MsgspecError, KeyError, TypeError, UnicodeDecodeError):
            words = self.body[:100].decode("utf-8", "replace")
        return words.replace("\x00", "")


@dataclass(slots=True)
class Traffic:
    """What was asked of upstream: requests, and bytes of bodies after decompression."""

    requests: int = 0
    bytes: int = 0

    def add(self, answer: Answer) -> None:
        self.requests += 1
        self.bytes += len(answer.body)


@dataclass(slots=True)
class UpstreamHealth:
    """How upstream was when last asked."""

    ok: bool | None = None
    error: str | None = None
    since: datetime = field(default_factory=clock.now)

    def became(self, error: str | None) -> None:
        if self.ok is not (error is None):
            self.since = clock.now()
        self.ok, self.error = error is None, error


class EsiClient:
    """Asks ESI. Open it with `async with`."""

    def __init__(
        self, settings: IngestorSettings, governor: Governor, *, retry_seconds: Sequence[float] = RETRY_SECONDS
    ) -> None:
        self._retry_seconds = retry_seconds
        self.governor = governor
        self._wire = Wire(
            settings.esi_base_url,
            {
                "User-Agent": settings.esi_user_agent,
                "X-Compatibility-Date": COMPATIBILITY_DATE,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
            },
            settings.esi_timeout,
        )
        self._clock = UpstreamClock()
        self.health = UpstreamHealth()

    async def __aenter__(self) -> Self:
        await self._wire.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.__aexit__()

    async def get(
        self,
        path: str,
        *,
        traffic: Traffic,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        share: Share = Share.BULK,
    ) -> Answer:
        """The answer to a GET: 2xx, 4xx, a 304 if `headers` hold a validator, or a 520 that says ItemNotFound.

        Raises `UpstreamUnavailableError` when ESI could not be asked, or after some repeats still did not know.
        """
        target = f"{path}?{urlencode(params)}" if params else path
        return await self._ask("GET", path, traffic, share, target=target, headers=headers)

    async def post(self, path: str, body: Sequence[int], *, traffic: Traffic) -> Answer:
        """The answer to a POST that only asks, and so may be repeated; errors as for `get`."""
        return await self._ask("POST", path, traffic, Share.BULK, target=path, body=msgspec.json.encode(list(body)))

    async def fetch(self, path: str, kind: type[Any], *, traffic: Traffic) -> Any:
        """The body of a 200, decoded as `kind`. Raises `UpstreamRefusedError` for any other answer."""
        answer = await self.get(path, traffic=traffic)
        if answer.status != 200:  # noqa: PLR2004
            raise UpstreamRefusedError(answer.status, answer.error())
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamUnavailableError(f"unreadable answer from {path}: {error}") from error

    async def _ask(self, method: str, path: str, traffic: Traffic, share: Share, **arguments: Any) -> Answer:
        fault = ""
        begun = time.monotonic()
        for pause in (0.0, *self._retry_seconds):
            if pause:
                if time.monotonic() - begun > RETRIES_WITHIN_SECONDS:
                    break
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            await self.governor.enter(path, share)
            try:
                answer = await self._once(method, **arguments)
            except (OSError, zlib.error) as error:
                self.governor.failed()
                fault = f"{type(error).__name__}: {error}"
                continue
            finally:
                self.governor.leave(share)
            traffic.add(answer)
            self.governor.observe(path, answer.status, answer.headers)
            trouble = self._trouble(path, answer, conditional=bool(arguments.get("headers")))
            if trouble is None:
                self.health.became(None)
                return answer
            fault = trouble
            self.health.became(fault)
        self.health.became(fault)
        raise UpstreamUnavailableError(f"{method} {path}: {fault}")

    def _trouble(self, path: str, answer: Answer, *, conditional: bool) -> str | None:
        """Why the answer answers nothing, or None when it does."""
        status = answer.status
        if status == 520:  # noqa: PLR2004 - what the game's own server refuses comes out as this
            spam = _SPAM.search(answer.body)
            if spam:
                self.governor.pause(int(spam[1]) / 1e6, "the game's server says ConStopSpamming", route(path))
            elif b"ItemNotFound" in answer.body:
                return None
        if answer.past_the_end and _NO_PAGE in answer.body:
            return None
        if status >= 500 or status in {420, 429}:  # noqa: PLR2004 - where HTTP's blame moves
            return f"{status}: {answer.error()}"
        if status == 304 and not conditional:  # noqa: PLR2004
            return "304 to a request without a validator"
        if status == 404 and in_downtime(answer.headers.get("Date")):  # noqa: PLR2004
            return f"404 during the daily downtime: {answer.error()}"
        return None

    async def _once(self, method: str, target: str, **arguments: Any) -> Answer:
        sent = time.monotonic()
        response = await self._wire.request(method, target, **arguments)
        received = time.monotonic()
        headers, body = response.headers, response.body
        if headers.get("Content-Encoding") == "gzip":
            body = zlib.decompress(body, wbits=31)
        date = _instant(headers.get("Date"))
        if date is not None:
            self._clock.observe(date, sent=sent, received=received)
        return Answer(response.status, headers, body, received, self._clock)


@lru_cache(maxsize=256)
def _instant(header: str | None) -> float | None:
    """An HTTP date as seconds since 1970; the same few come again and again."""
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except (ValueError, OverflowError):
        return None
