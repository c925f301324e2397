import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urljoin
from uuid import uuid4

import aiohttp

from cli.errors import StackError
from common.keys.tokens import Token

TERMINAL_STATES = frozenset({"succeeded", "partial", "failed", "cancelled", "skipped"})
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class ApiClient:
    """What the command asks of the stack's own REST API; `key` is shown with what is not open to all."""

    def __init__(self, url: str, key: Token | None = None) -> None:
        self._url = url
        self._key = key
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def readiness(self) -> tuple[bool, Any]:
        """Whether the API calls itself ready, and what it says about it."""
        status, _, body = await self._ask("GET", "/health/ready")
        return status == HTTPStatus.OK, body

    async def stats(self) -> Mapping[str, Any]:
        return await self._found("/api/v1/data/stats")

    async def contracts(self, region_id: int, limit: int) -> list[Mapping[str, Any]]:
        body = await self._found(f"/api/v1/contracts?region_id={region_id}&limit={limit}")
        items = body.get("items", [])
        return list(items)

    async def audit_schedules(self, cursor: str) -> Mapping[str, Any]:
        """A page of the schedules' audit, the first for an empty cursor."""
        return await self._found("/api/v1/schedules/audit" + (f"?{urlencode({'cursor': cursor})}" if cursor else ""))

    async def ingest(self, command: Mapping[str, Any]) -> str:
        """Ask for an ingest and return the address of its run."""
        path = "/api/v1/data/ingest"
        shown = {"Authorization": f"Bearer {self._key.reveal()}"} if self._key else {}
        asked = {"Idempotency-Key": str(uuid4()), **shown}
        status, headers, body = await self._ask("POST", path, json=command, headers=asked)
        if status != HTTPStatus.ACCEPTED or "Location" not in headers:
            raise StackError(f"POST {path} answered {status}: {body}")
        return headers["Location"]

    async def finished_run(self, location: str, within: float) -> Mapping[str, Any]:
        """The run once it reached a terminal state. Raises StackError if it does not within that many seconds."""
        deadline = time.monotonic() + within
        while True:
            run = await self._found(location)
            if run.get("state") in TERMINAL_STATES:
                return run
            if time.monotonic() > deadline:
                raise StackError(f"{location} is still {run.get('state')} after {within:.0f} s")
            await asyncio.sleep(0.1)

    async def _found(self, path: str) -> Mapping[str, Any]:
        status, _, body = await self._ask("GET", path)
        if status != HTTPStatus.OK or not isinstance(body, Mapping):
            raise StackError(f"GET {path} answered {status}: {body}")
        return body

    async def _ask(self, method: str, path: str, **more: Any) -> tuple[int, Mapping[str, str], Any]:
        assert self._session is not None, "enter the client first"
        try:
            async with self._session.request(method, urljoin(self._url, path), **more) as answer:
                return answer.status, answer.headers, await _body(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StackError(f"{method} {path}: {error or 'no answer in time'}") from error


async def _body(answer: aiohttp.ClientResponse) -> Any:
    if "json" in answer.content_type:
        return await answer.json(content_type=None)
    return await answer.text()
