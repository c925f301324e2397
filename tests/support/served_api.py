"""The api in this process, behind its real server on a real port, and a client of it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from api.dependencies import Parts
from api.listening import listen, serve_http
from api.main import create_app
from api.settings import ApiSettings
from common.database import create_engine
from common.messaging.relay import Relay
from support.databases import SHOWN, as_service

NOWHERE = "127.0.0.1:1"
"""An address at which nothing listens."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Reply:
    """One answer of the api."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def wrong_fields(self) -> list[str]:
        """The fields that a problem document names."""
        return [error["field"] for error in self.content["errors"]]


class ServedApi:
    """Asks one api."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, **more: Any) -> Reply:
        return await self.ask("GET", path, **more)

    async def ingest(self, body: Any, **more: Any) -> Reply:
        return await self.ask("POST", "/api/v1/data/ingest", json=body, **more)

    async def ask(self, method: str, path: str, *, shows_key: bool | None = None, **more: Any) -> Reply:
        """Ask as whoever holds a key does: it is shown for what changes something, and whenever a test says so."""
        shown = SHOWN if shows_key or (shows_key is None and method not in READING) else {}
        headers = {**shown, **more.pop("headers", {})}
        async with self._session.request(
            method, self.url + path, allow_redirects=False, headers=headers, **more
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def pages(self, path: str, **params: Any) -> list[list[Any]]:
        """The items of every page of a list, from the first to the last."""
        pages, cursor = [], None
        while True:
            reply = await self.get(path, params={**params, **({"cursor": cursor} if cursor else {})})
            assert reply.status == 200, reply.body
            pages.append(reply.content["items"])
            cursor = reply.content["next_cursor"]
            if cursor is None:
                return pages


class HostedApi(ServedApi):
    """An api in this process: its parts tell what no answer does."""

    def __init__(self, url: str, session: aiohttp.ClientSession, parts: Parts) -> None:
        super().__init__(url, session)
        self.parts = parts


def api_settings(database_url: str, **more: Any) -> ApiSettings:
    """Settings with a role of least rights, and a broker that is not there: no answer may depend on it."""
    return ApiSettings(database_url=SecretStr(as_service(database_url, "api")), kafka_bootstrap_servers=NOWHERE, **more)


@asynccontextmanager
async def served(settings: ApiSettings) -> AsyncIterator[HostedApi]:
    """The api for as long as the block runs; its hooks run, its relay does not."""
    engine = create_engine(settings, service="api")
    try:
        app = await create_app(settings, engine=engine, relay=Relay("api", settings, settings))
        with listen("127.0.0.1", 0) as listener:
            async with app.router.lifespan_context(app):
                serving = asyncio.ensure_future(serve_http(app, listener))
                try:
                    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:
                        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                        yield HostedApi(url, session, app.state.parts)
                finally:
                    serving.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await serving
    finally:
        await engine.dispose()


def hook_folder(root: Path, **files: str) -> Path:
    """A folder of hooks; `files` maps `phase__name` to their source."""
    for place, source in files.items():
        phase, _, name = place.partition("__")
        (root / phase).mkdir(parents=True, exist_ok=True)
        (root / phase / f"{name}.py").write_text(source)
    return root
