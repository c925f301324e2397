"""`python -m common.provision`: bring the schema and the services' roles up to date, and create the topics.

Safe to repeat, and to run twice at once.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from aiokafka.errors import KafkaError
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from common import migrations, roles
from common.database import create_engine, is_transient
from common.errors import FreeportError
from common.logs import configure, get_logger
from common.messaging import topics
from common.service import run
from common.settings import KafkaSettings, ProvisionSettings, read_settings
from common.tables import broker_epochs

log = get_logger(__name__)

PATIENCE_SECONDS = 60


async def provision(
    engine: AsyncEngine, kafka: KafkaSettings, *, passwords: Mapping[str, str] | None = None
) -> list[str]:
    """Migrate, see to the services' roles, then create what topics are missing; returns their names.

    Topics that had to be created mean that nothing sent before is on the wire any more. That is recorded, and the
    ingestor sends again what was accepted and is not done.
    """
    await migrations.upgrade(engine, then=lambda connection: roles.establish(connection, passwords or {}))
    created = await topics.create_missing(kafka)
    if created:
        async with engine.begin() as connection:
            await connection.execute(insert(broker_epochs).values(topics=created))
    return created


async def patiently(work: Callable[[], Awaitable[list[str]]], *, seconds: float = PATIENCE_SECONDS) -> list[str]:
    """Repeat `work` while the database or the broker is still on its way up."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            return await work()
        except Exception as error:
            if not (is_transient(error) or isinstance(error, KafkaError)):
                raise
            if time.monotonic() > give_up:
                raise FreeportError(f"gave up after {seconds:.0f} s: {type(error).__name__}: {error}") from error
            await asyncio.sleep(0.3)


async def serve() -> None:
    settings = read_settings(ProvisionSettings)
    configure(settings, service="provision")
    engine = create_engine(settings, service="provision")
    try:
        created = await patiently(lambda: provision(engine, settings, passwords=settings.passwords()))
    finally:
        await engine.dispose()
    log.info("provisioned", topics_created=created)


if __name__ == "__main__":
    run(serve)
