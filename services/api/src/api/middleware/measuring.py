"""Measures requests by their route, for `/metrics`."""

import time

from fastapi import FastAPI, status
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.faults import database_fault
from api.metrics import Metrics

ORDER = 5
"""Inside of what rewrites the path: only there the scope is the one in which the router leaves the route."""

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measuring:
    """Notes how long each request took and what it came to."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        code = status.HTTP_500_INTERNAL_SERVER_ERROR

        async def watched(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if database_fault(error):
                code = status.HTTP_503_SERVICE_UNAVAILABLE
            raise
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.observe_request(method, _route(scope), code, time.perf_counter() - began)


def _route(scope: Scope) -> str:
    """The path with its parameters' names; one word for all that no route has, for their number has no end.

    The route knows only what follows the prefix under which its router is served.
    """
    route = scope.get("route")
    if not isinstance(route, APIRoute):
        return "none"
    path: str = scope["path"]
    if not scope["path_params"]:
        return path
    served = route.path_format.format(**scope["path_params"])
    return path.removesuffix(served) + route.path


def register_middleware(app: FastAPI) -> None:
    app.add_middleware(Measuring, metrics=app.state.parts.metrics)
