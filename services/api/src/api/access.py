"""Who may do more than read: a key, shown as a bearer token, with the scope that the operation requires."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from fastapi import Depends, HTTPException, Request, Response, Security, status
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase

from api.dependencies import AppParts
from api.faults import database_fault
from api.keyring import Holder, Keyring
from common.keys.tokens import FORM, Scope, Token

PATIENCE_SECONDS = 0.5
"""How long the database may take to tell a key, where nothing depends on it but how much is told."""


class _Bearer(SecurityBase):
    """Reads the token of a request, and describes it in the OpenAPI document."""

    scheme_name = "ApiKey"
    model = HTTPBearer(
        bearerFormat=FORM,
        description=(
            "A key that `freeport keys create` made, for whatever changes something or is the operators' own. "
            "Each operation names the scope it requires: "
            "`ingest`, `schedules` or `operate`. All other operations are open to everybody."
        ),
    )

    async def __call__(self, request: Request) -> Token | None:
        """The token that is shown, None if there is none. Raises 401 for what cannot be one."""
        shown = request.headers.get("authorization")
        if shown is None:
            return None
        scheme, _, text = shown.partition(" ")
        token = Token.parse(text.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise _wrong()
        return token


ShownToken = Annotated[Token | None, Security(_Bearer())]


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an operation asks of whoever calls it."""

    scope: Scope

    async def __call__(self, parts: AppParts, token: ShownToken) -> Holder:
        """Whoever may. Raises 401 without a valid key, 403 if it lacks the scope."""
        if token is None:
            raise _refusal("This needs an API key, shown as Authorization: Bearer " + FORM, "")
        holder = await _holder(parts.keyring, token)
        if self.scope not in holder.scopes:
            raise lacking(self.scope)
        return holder


@dataclass(frozen=True, slots=True)
class Privilege:
    """What an operation that is open to all tells only to some."""

    scope: Scope

    async def __call__(self, parts: AppParts, request: Request) -> bool:
        """Whether to tell it; raises 401 for a key that is not valid, rather than tell less without a word.

        While the database is away a key counts for what it was: that is when operators want to see most.
        """
        token = await _Bearer()(request)
        if token is None:
            return False
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                holder: Holder | None = await _holder(parts.keyring, token)
        except Exception as error:
            if database_fault(error) is None:
                raise
            holder = parts.keyring.last_known(token)
        return holder is not None and self.scope in holder.scopes


def Requires(scope: Scope) -> Any:  # noqa: N802 - reads like FastAPI's Depends, which it is
    """Declare that an operation needs a key of `scope`.

    Among a route's `dependencies`, or as `Annotated[Holder, Requires(scope)]` where the route wants to know who asks.
    The router's `route_class` is `KeyFirst` then.
    """
    return Security(Requirement(scope), scopes=[scope.value])


class KeyFirst(APIRoute):
    """Asks for the key before anything else of a request is looked at, so that strangers learn nothing about it.

    FastAPI reads the body before any dependency runs, and those of the whole application run before the route's own.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        calls = [dependency.call for dependency in self.dependant.dependencies]
        required = [call for call in calls if isinstance(call, Requirement)]

        async def guarded(request: Request) -> Response:
            for requirement in required:
                await requirement(request.app.state.parts, await _Bearer()(request))
            return await handle(request)

        return guarded


SeesMachinery = Annotated[bool, Depends(Privilege(Scope.OPERATE))]
"""Whether whoever asks may see how this instance is put together: its hosts, its processes, its load."""
OPEN_TO_ALL_MORE_FOR_OPERATORS = {"security": [{}, {_Bearer.scheme_name: [Scope.OPERATE.value]}]}
"""How an operation with `SeesMachinery` is described."""


async def _holder(keyring: Keyring, token: Token) -> Holder:
    holder = await keyring.holder(token)
    if holder is None:
        raise _wrong()
    structlog.contextvars.bind_contextvars(key_id=holder.key_id)  # so the request's log lines say who it was
    return holder


def _wrong() -> HTTPException:
    return _refusal("The API key is not valid: it is wrong, expired or revoked", ', error="invalid_token"')


def _refusal(detail: str, more: str) -> HTTPException:
    challenge = f'Bearer realm="freeport"{more}'
    return HTTPException(status.HTTP_401_UNAUTHORIZED, detail, {"WWW-Authenticate": challenge})


def lacking(scope: Scope) -> HTTPException:
    """403: the key is valid and has not this scope."""
    challenge = f'Bearer realm="freeport", error="insufficient_scope", scope="{scope}"'
    return HTTPException(
        status.HTTP_403_FORBIDDEN, f"The API key lacks the scope {scope}", {"WWW-Authenticate": challenge}
    )
