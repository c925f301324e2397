"""Nobody asks so much that others wait: each client address has a quota, and is told of it.

The fields are those of draft-ietf-httpapi-ratelimit-headers-11 (May 2026), and so is the problem's type: lists of
structured fields (RFC 9651), `RateLimit-Policy: "address";q=500;w=10` with quota and window, `RateLimit:
"address";r=499;t=1` with what is left of it and for how many seconds. `Retry-After` never ends before that time, which
the draft asks for in its section 6.
"""

import math
import time

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import Buckets, Clients, Grant
from api.problems import problem
from api.settings import ApiSettings

ORDER = 3
"""Outside of the kept answers, for those count as well; inside of what measures, so that refusals are seen."""
POLICY = "address"
UNLIMITED = ("/health", "/metrics")
QUOTA_EXCEEDED = {
    "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
    "title": "Request cannot be satisfied as assigned quota has been exceeded",
    "violated-policies": [POLICY],
}


class Limiting:
    """Answers 429 to whoever has used up its quota; probes and scrapes are free."""

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        self._clients = Clients(proxies=settings.api_trusted_proxies, exempt=settings.api_rate_exempt)
        self._buckets = Buckets(settings.api_rate_limit, settings.api_rate_burst)
        window = math.ceil(settings.api_rate_burst / settings.api_rate_limit)
        self._policy = f'"{POLICY}";q={settings.api_rate_burst};w={window}'.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = self._name(scope) if scope["type"] == "http" and not scope["path"].startswith(UNLIMITED) else None
        if name is None:
            await self._app(scope, receive, send)
            return
        grant = self._buckets.take(name, at=time.monotonic())
        remaining = f'"{POLICY}";r={grant.remaining};t={math.ceil(grant.window)}'.encode()
        said = [(b"ratelimit-policy", self._policy), (b"ratelimit", remaining)]

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *said]}
            await send(message)

        if grant.wait:
            await _refuse(grant, scope, receive, telling)
        else:
            await self._app(scope, receive, telling)

    def _name(self, scope: Scope) -> str | None:
        if scope["client"] is None:  # a Unix socket
            return None
        forwarded = b",".join([value for name, value in scope["headers"] if name == b"x-forwarded-for"])
        return self._clients.name(scope["client"][0], forwarded[-1000:].decode("latin-1"))


async def _refuse(grant: Grant, scope: Scope, receive: Receive, send: Send) -> None:
    seconds = math.ceil(grant.wait)
    answer = problem(
        Request(scope),
        429,
        f"This address asks too often; the next request will pass in {seconds} s",
        headers={"Retry-After": str(seconds), "Cache-Control": "no-store"},
        **QUOTA_EXCEEDED,
    )
    await answer(scope, receive, send)


def register_middleware(app: FastAPI) -> None:
    settings = app.state.parts.settings
    if settings.api_rate_limit:
        app.add_middleware(Limiting, settings=settings)
