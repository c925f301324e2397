"""Whatever changes something, and whatever is the operators' own, asks for a key."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from api.access import Requirement
from api.routing import API_PREFIX, include_routers
from common.keys.tokens import Scope

OPERATORS = (f"{API_PREFIX}/system", f"{API_PREFIX}/dead-letters")
"""What tells of the inside of an instance, and not of the market."""


def is_operators(operation: str) -> bool:
    path = operation.partition(" ")[2]
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in OPERATORS)


def requirements(dependant: Dependant) -> Iterator[Scope]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Requirement):
            yield dependency.call.scope
        yield from requirements(dependency)


def operations() -> dict[str, list[Scope]]:
    """Every operation that is served, in the OpenAPI document or not, and the scopes that it requires."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    include_routers(app)
    return {
        f"{method} {route.path}": list(requirements(route.dependant))
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
    }


@pytest.mark.parametrize("operation", [each for each in operations() if not each.startswith("GET ")])
def test_what_changes_something_requires_one_scope(operation: str) -> None:
    assert len(set(operations()[operation])) == 1


@pytest.mark.parametrize("operation", [each for each in operations() if is_operators(each)])
def test_what_is_the_operators_own_requires_their_scope(operation: str) -> None:
    assert operations()[operation] == [Scope.OPERATE]


def test_reading_the_market_requires_nothing() -> None:
    guarded = [each for each, scopes in operations().items() if each.startswith("GET ") and scopes]

    assert [each for each in guarded if not is_operators(each)] == []
