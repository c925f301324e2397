"""The api, from its settings to its port. Start reading here."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from api.dependencies import Parts
from api.exports import Exports
from api.keyring import Keyring
from api.listening import listen, serve_http
from api.market import Market
from api.metrics import Metrics
from api.openapi import Api
from api.readers import Readers
from api.routing import include_routers
from api.settings import ApiSettings
from api.tidying import Tidying
from common import schema
from common.database import create_engine
from common.heartbeat import Heartbeat
from common.hooks import Hooks
from common.logs import configure, get_logger
from common.messaging.outbox import Outbox
from common.messaging.relay import Relay
from common.service import run, together
from common.settings import read_settings

log = get_logger(__name__)
COLLECTIONS = (5_000, 10, 20)
"""How much comes up before the collector looks through what is young, older and old. Kept answers make no cycles, and
to look through some thousands held up everybody for 10 to 70 ms, once in a few thousand new ones."""


async def create_app(settings: ApiSettings, *, engine: AsyncEngine, relay: Relay) -> FastAPI:
    """The application: hooks, routes, and the parts they use. Raises HookError for a broken hook.

    Needs no database: while that is away, `/health` answers 200 and what needs it answers 503.
    """
    hooks = Hooks(Path(__file__).parent, *([settings.api_hooks] if settings.api_hooks else []))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await hooks.start(app)
        try:
            yield
        finally:
            await hooks.stop(app)
            readers.close()

    readers = Readers(settings, service="api")
    app = Api(lifespan=lifespan)
    app.state.parts = Parts(
        settings=settings,
        engine=engine,
        readers=readers,
        outbox=Outbox("api"),
        relay=relay,
        hooks=hooks,
        keyring=Keyring(engine, patience_seconds=settings.api_database_timeout),
        metrics=Metrics(),
        market=Market(settings),
        exports=Exports(settings),
        schema=schema.head(),
    )
    include_routers(app)
    await hooks.register_middleware(app)
    return app


async def serve() -> None:
    settings = read_settings(ApiSettings)
    configure(settings, service="api")
    engine = create_engine(settings, service="api")
    relay = Relay("api", settings, settings)
    heartbeat = Heartbeat(engine, "api", lambda: {"relay": {"sent": relay.sent}})
    try:
        app = await create_app(settings, engine=engine, relay=relay)
        with listen(settings.api_host, settings.api_port) as listener:
            async with app.router.lifespan_context(app):
                host, port = listener.getsockname()[:2]
                log.info("serving", host=host, port=port)
                gc.freeze()  # what was built stays: to look through it again would hold up whoever asks just then
                gc.set_threshold(*COLLECTIONS)
                await together(serve_http(app, listener), relay.run(), heartbeat.run(), Tidying(engine).run())
    finally:
        await engine.dispose()


def main() -> None:
    run(serve)
