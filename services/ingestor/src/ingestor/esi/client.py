"""The one way to ask ESI: a shared connection pool, our name on every request, retries under the governor."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self

import aiohttp
import msgspec

from common import clock
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.governor import Governor
from ingestor.settings import IngestorSettings

COMPATIBILITY_DATE = "2026-08-18"
"""The version of ESI's routes that this code was written against."""
ATTEMPTS = 3
RETRY_SECONDS = (0.3, 1.0)
CONNECT_SECONDS = 10
LONGEST_FRESH = timedelta(hours=2)
"""No list is cached for longer than half an hour; a wrong Expires must not end the reading of a region."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

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

    def __init__(self, settings: IngestorSettings, governor: Governor) -> None:
        self._settings = settings
        self._governor = governor
        self._session: aiohttp.ClientSession | None = None
        self.health = UpstreamHealth()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._settings.esi_timeout, connect=CONNECT_SECONDS),
            connector=aiohttp.TCPConnector(limit=self._settings.esi_concurrency),
            headers={
                "User-Agent": self._settings.esi_user_agent,
                "X-Compatibility-Date": COMPATIBILITY_DATE,
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
            },
            auto_decompress=True,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, *, traffic: Traffic, params: Mapping[str, str] | None = None) -> Answer:
        """The answer to a GET: 2xx, 3xx or 4xx.

        Raises `UpstreamUnavailableError` when ESI could not be asked, or after some repeats still did not know.
        """
        return await self._ask("GET", path, traffic, params=params)

    async def post(self, path: str, body: Sequence[int], *, traffic: Traffic) -> Answer:
        """The answer to a POST that only asks, and so may be repeated; errors as for `get`."""
        return await self._ask("POST", path, traffic, json=list(body))

    async def fetch(self, path: str, kind: type[Any], *, traffic: Traffic) -> Any:
        """The body of a 200, decoded as `kind`. Raises `UpstreamRefusedError` for any other answer."""
        answer = await self.get(path, traffic=traffic)
        if answer.status != 200:  # noqa: PLR2004
            raise UpstreamRefusedError(answer.status, answer.error())
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UpstreamUnavailableError(f"unreadable answer from {path}: {error}") from error

    async def _ask(self, method: str, path: str, traffic: Traffic, **arguments: Any) -> Answer:
        fault = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(RETRY_SECONDS[attempt - 1] * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            async with self._governor.admitted():
                try:
                    answer = await self._once(method, path, **arguments)
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    fault = f"{type(error).__name__}: {error}"
                    continue
            traffic.add(answer)
            self._governor.observe(answer.status, answer.headers)
            fault = f"{answer.status}: {answer.error()}"
            if answer.status in {420, 429}:
                self.health.became(fault)
            elif answer.status < 500:  # noqa: PLR2004 - where HTTP's blame moves
                self.health.became(None)
                return answer
        self.health.became(fault)
        raise UpstreamUnavailableError(f"{method} {path}: {fault}")

    async def _once(self, method: str, path: str, **arguments: Any) -> Answer:
        assert self._session is not None, "open the client with `async with`"
        url = self._settings.esi_base_url + path
        async with self._session.request(method, url, **arguments) as response:
            return Answer(response.status, response.headers, await response.read())


def until(answer: Answer) -> timedelta:
    """How long upstream says this answer stays the newest: Expires less Date, both on upstream's clock."""
    try:
        left = parsedate_to_datetime(answer.headers["Expires"]) - parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError, TypeError):
        return timedelta()
    return min(max(left, timedelta()), LONGEST_FRESH)
