"""What routes take as arguments. All of it is async, for FastAPI sends whatever is not through a thread."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Path, Request, status
from fastapi.routing import APIRoute
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.exports import Exports
from api.keyring import Keyring
from api.market import Market
from api.metrics import Metrics
from api.nearest import suggestion
from api.problems import InvalidRequestError
from api.readers import Readers
from api.schemas.base import BIGINT
from api.settings import ApiSettings
from common.hooks import Hooks
from common.messaging.outbox import Outbox
from common.messaging.relay import Relay

ContractId = Annotated[int, Path(ge=1, le=BIGINT, description="A contract's id")]
TypeId = Annotated[int, Path(ge=1, le=BIGINT, description="An item type's id")]


@dataclass(frozen=True, slots=True)
class Parts:
    """What `create_app` built, for the routes to use."""

    settings: ApiSettings
    engine: AsyncEngine
    readers: Readers
    outbox: Outbox
    relay: Relay
    hooks: Hooks
    keyring: Keyring
    metrics: Metrics
    market: Market
    exports: Exports
    schema: str


async def parts_of(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


AppParts = Annotated[Parts, Depends(parts_of)]


async def read_connection(parts: AppParts) -> AsyncIterator[Any]:
    """A connection outside any transaction, with asyncpg's `fetch…`; given back before the answer is sent.

    FastAPI makes it before it looks at parameters, so it is taken with the first question only.
    """
    async with asyncio.timeout(parts.settings.api_database_timeout), parts.readers.reader() as reader:
        yield reader


ReadConnection = Annotated[Any, Depends(read_connection, scope="function")]


@asynccontextmanager
async def writing(parts: Parts) -> AsyncIterator[AsyncConnection]:
    """A transaction that commits when the block ends. Who opens it in the route has looked at the request before."""
    async with asyncio.timeout(parts.settings.api_database_timeout), parts.engine.begin() as connection:
        yield connection


async def known_query_only(request: Request) -> None:
    """Refuse query parameters that the route does not have, rather than ignore a filter with a typing error."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not request.query_params:
        return
    known = [
        name for field in route.dependant.query_params for name in _names(field.field_info.annotation, field.alias)
    ]
    unknown = {
        name: f"is not a parameter here{suggestion(name, known)}" for name in request.query_params if name not in known
    }
    if unknown:
        raise InvalidRequestError(unknown)


async def json_only(request: Request) -> None:
    """Refuse a body that does not say it is JSON: what it means would be a guess."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "The body has to be application/json")


def _names(annotation: Any, alias: str) -> list[str]:
    """The parameters behind an argument of the route: a model stands for its fields."""
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return list(annotation.model_fields) if is_model else [alias]
