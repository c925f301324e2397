"""Every error leaves as an RFC 9457 problem document."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.nearest import suggestion
from api.schemas.budget import Overdrawn
from common import telemetry
from common.errors import FreeportError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "5"


class WrongField(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(description="A parameter, a header, or a path into the body", examples=["scope.region_id"])
    message: str = Field(description="What is wrong with it")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="What kind of problem; about:blank where the status says it all")
    title: str = Field(description="The status in words")
    status: int
    detail: str = Field(description="What happened, for people")
    instance: str = Field(description="The path that was asked for")
    request_id: str | None = Field(description="Finds this request in the logs and in the messages it caused")
    errors: list[WrongField] | None = Field(None, description="What is wrong with the request, field by field")
    budgets: list[Overdrawn] | None = Field(None, description="A schedule does not fit what upstream grants: how so")


class InvalidRequestError(FreeportError):
    """The request is well formed and makes no sense; `errors` maps fields to what is wrong with them."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {message}" for field, message in errors.items()))
        self.errors = errors


class RefusedError(FreeportError):
    """The request is understood and refused; `more` are members of the problem that say how it comes about."""

    def __init__(self, status: int, detail: str, more: Mapping[str, Any]) -> None:
        super().__init__(detail)
        self.status = status
        self.more = more


class ConflictError(FreeportError):
    """The request contradicts one that was accepted before."""


class NotYetError(FreeportError):
    """The request cannot be judged yet; a repeat in a moment can."""


def problem(
    request: Request, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """A problem document; `more` are its extension members."""
    trace = telemetry.current()
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": trace.request_id if trace else None,
        **more,
    }
    # Plain ASCII: a request can hold half a surrogate pair, which UTF-8 cannot.
    return Response(json.dumps(document), status, headers, MEDIA_TYPE)


def unavailable(request: Request, detail: str, **more: Any) -> Response:
    """503, with the advice to come back."""
    return problem(request, 503, detail, headers={"Retry-After": RETRY_AFTER_SECONDS}, **more)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """404, 405, 413 and whatever a route raises, with its headers and its `detail`."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return problem(request, error.status_code, str(error.detail), headers=headers)


def _allowed(request: Request) -> str:
    """Every method that the path takes (RFC 9110, 10.2.1): the router names those of the first route only."""
    routes = list(iter_route_contexts(request.app.routes))
    matching = (route for route in routes if route.path_regex.match(request.url.path))
    first = next(matching, None)
    methods = {method for route in routes if first and route.path == first.path for method in route.methods or ()}
    return ", ".join(sorted(methods))


async def on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidRequestError)
    return _invalid(request, list(error.errors.items()))


async def on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _invalid(request, [(_field(each["loc"]), _message(each)) for each in error.errors()])


async def on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return problem(request, error.status, str(error), **error.more)


async def on_conflict(request: Request, error: Exception) -> Response:
    return problem(request, 409, str(error))


async def on_not_yet(request: Request, error: Exception) -> Response:
    return unavailable(request, str(error))


async def on_failure(request: Request, error: Exception) -> Response:
    """The last resort: says nothing of the error but how to find it in the logs."""
    del error
    return problem(request, 500, "Something went wrong here; the log has it under the request id")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route's documentation says of these statuses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def _invalid(request: Request, errors: list[tuple[str, str]]) -> Response:
    listed = [{"field": field, "message": message} for field, message in errors]
    return problem(request, 422, "; ".join(f"{field}: {message}" for field, message in errors), errors=listed)


def _field(location: tuple[int | str, ...]) -> str:
    """`scope.region_id` for a field of the body, the bare name for a parameter."""
    where, *path = location
    names = [str(step) for step in path if where == "body" or isinstance(step, str)]
    return ".".join(names) if names and not isinstance(path[0], int) else str(where)


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "json_invalid":
        return f"is not JSON: {error['ctx']['error']} at position {error['loc'][1]}"
    message: str = error["msg"].removeprefix("Value error, ")
    if error["type"] in {"enum", "literal_error"} and isinstance(error["input"], str):
        message += suggestion(error["input"], re.findall(r"'([^']*)'", str(error["ctx"]["expected"])))
    return message[:1].lower() + message[1:]
