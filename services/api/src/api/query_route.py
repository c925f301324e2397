"""Routes with many query parameters, which are validated in one go.

FastAPI looks for every parameter of a model by itself, and finds out what kind it is anew for each request. For the
sixty of a list that takes more processor time than all else that the api does for an answer.
"""

from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, get_origin, get_type_hints

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams

from api.dependencies import parts_of, read_connection

_reading = asynccontextmanager(read_connection)


class QueryRoute(APIRoute):
    """A route that takes `query`, a model of parameters, and `connection`, a ReadConnection.

    A request that is right is found so here. Whatever is wrong with one FastAPI still says in its own words, as it
    writes the OpenAPI document: both are as for any other route.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        thorough = super().get_route_handler()
        endpoint = self.endpoint
        asked_by = reading_of(get_type_hints(endpoint)["query"])

        async def handle(request: Request) -> Response:
            query = asked_by(request.query_params)
            if query is None:
                return await thorough(request)
            async with _reading(await parts_of(request)) as connection:
                answer: Response = await endpoint(query=query, connection=connection)
            return answer

        return handle


def reading_of(model: type[BaseModel]) -> Callable[[QueryParams], BaseModel | None]:
    """What makes the model of a request's parameters, or None if anything is wrong with them."""
    names = frozenset(model.model_fields)
    lists = frozenset(name for name, field in model.model_fields.items() if get_origin(field.annotation) is list)

    def read(params: QueryParams) -> BaseModel | None:
        given: dict[str, Any] = {}
        for name, value in params.multi_items():
            if name not in names:
                return None
            if name in lists:
                given.setdefault(name, []).append(value)
            else:
                given[name] = value  # the last of several, as FastAPI takes it
        try:
            return model.model_validate(given)
        except ValidationError:
            return None

    return read
