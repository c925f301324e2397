"""What nobody foresaw becomes an answer here, inside of CORS and tracing, so that it has their headers."""

from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.faults import database_fault
from api.problems import on_failure, unavailable
from common.logs import get_logger

ORDER = 9000

log = get_logger(__name__)


class Failures:
    """503 where the database is at fault and will be back, 500 otherwise; the error itself goes to the log only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if started:
                raise
            request = Request(scope)
            fault = database_fault(error)
            if fault:
                log.warning("database unavailable", error=type(error).__name__)
                answer = unavailable(request, fault)
            else:
                log.exception("request failed")
                answer = await on_failure(request, error)
            await answer(scope, receive, send)


def register_middleware(app: FastAPI) -> None:
    app.add_middleware(Failures)
