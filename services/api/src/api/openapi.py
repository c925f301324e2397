"""The application and its OpenAPI document."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from importlib.metadata import version
from typing import Any

import orjson
from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api import problems
from api.dependencies import known_query_only

DESCRIPTION = """
New Eden's public contract market: a true copy of every public contract in EVE Online, what appeared, changed and
vanished, and the commands that have it read anew. The events behind it are described at [/asyncapi](/asyncapi).

Amounts are ISK, volumes m³, instants RFC 3339 in UTC. Lists are pages: `next_cursor` asks for what follows, with the
same filters. Every error is a problem document (RFC 9457); unknown parameters are errors, not ignored.

Reading is open to all. What changes something, or is the operators' own, takes an API key as a bearer token.
"""

TAGS = [
    {"name": "contracts", "description": "The market"},
    {"name": "ingestion", "description": "Having upstream read anew, and what became of it"},
    {"name": "schedules", "description": "When upstream is read without anybody asking, and what became of every slot"},
    {"name": "universe", "description": "What contracts speak of"},
    {"name": "health", "description": "Whether it runs, and what is missing"},
    {"name": "system", "description": "How this instance is put together"},
]

_REFUSALS = {str(status): told for status, told in problems.problems(401, 403).items()}


class Api(FastAPI):
    """FastAPI as Freeport uses it: errors are problem documents, pages are our own, no redirects."""

    def __init__(self, *, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> None:
        super().__init__(
            title="Freeport",
            version=version("freeport-api"),
            description=DESCRIPTION,
            openapi_tags=TAGS,
            servers=[{"url": "/", "description": "This instance"}],
            license_info={"name": "MIT", "identifier": "MIT"},
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
            separate_input_output_schemas=False,
            generate_unique_id_function=lambda route: route.name,
            dependencies=[Depends(known_query_only)],
            responses=problems.problems(422, 500),
            telemetry={"tracing": False, "metrics": False, "logs": False},
            lifespan=lifespan,
            exception_handlers={
                HTTPException: problems.on_http_exception,
                RequestValidationError: problems.on_validation_error,
                problems.InvalidRequestError: problems.on_invalid_request,
                problems.RefusedError: problems.on_refusal,
                problems.ConflictError: problems.on_conflict,
                problems.NotYetError: problems.on_not_yet,
                Exception: problems.on_failure,
            },
        )

    def openapi(self) -> dict[str, Any]:
        """FastAPI's document, the schema that its error responses refer to, and how operations refuse who may not."""
        if self.openapi_schema is None:
            document = super().openapi()
            schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            document["components"]["schemas"].update(schema.pop("$defs"), Problem=schema)
            for operation in _guarded(document):
                operation["responses"].update(_REFUSALS)
        assert self.openapi_schema is not None
        return self.openapi_schema

    @cached_property
    def openapi_text(self) -> bytes:
        """The document as JSON, written once."""
        return orjson.dumps(self.openapi())


def _guarded(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations that no one but the holder of a key may use."""
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    return [operation for operation in operations if operation.get("security") and {} not in operation["security"]]
