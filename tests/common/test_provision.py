import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql import text

from cli.embedded.broker import EmbeddedBroker
from common import migrations, schema
from common.database import create_engine
from common.errors import FreeportError
from common.events import Topic
from common.messaging import topics
from common.provision import patiently, provision
from common.settings import KafkaSettings
from common.tables import broker_epochs, metadata
from conftest import Broker
from support.databases import Databases, settings_for
from support.stand_ins import free_port


@pytest.fixture
def empty_url(databases: Databases) -> Iterator[str]:
    with databases.fresh("template1") as url:
        yield url


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[AsyncEngine]:
    """A database with nothing in it."""
    engine = create_engine(settings_for(empty_url), service="test")
    yield engine
    await engine.dispose()


async def epochs(engine: AsyncEngine) -> list[list[str]]:
    async with engine.connect() as connection:
        query = select(broker_epochs.c.topics).order_by(broker_epochs.c.started_at)
        return [sorted(row) for row in await connection.scalars(query)]


async def partitions(kafka: KafkaSettings) -> dict[str, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.kafka_bootstrap_servers)
    await admin.start()
    described = await admin.describe_topics([topic.value for topic in Topic])
    await admin.close()
    return {topic["topic"]: len(topic["partitions"]) for topic in described}


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_an_empty_database_is_brought_to_what_the_tables_say(empty: AsyncEngine) -> None:
    await migrations.upgrade(empty)

    async with empty.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == schema.head()


async def test_two_upgrades_at_once_and_a_third_afterwards_all_succeed(empty: AsyncEngine) -> None:
    await asyncio.gather(migrations.upgrade(empty), migrations.upgrade(empty))
    await migrations.upgrade(empty)

    async with empty.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1


def test_the_history_is_one_chain_and_its_head_is_told_without_alembic() -> None:
    assert ScriptDirectory.from_config(migrations.config()).get_heads() == [schema.head()]


async def test_topics_are_created_once_with_the_partitions_asked_for_and_only_that_begins_an_epoch(
    engine: AsyncEngine, kafka: KafkaSettings
) -> None:
    created = await provision(engine, kafka)
    again = await provision(engine, kafka)

    assert sorted(created) == sorted(Topic)
    assert again == []
    assert await partitions(kafka) == {topic.value: 2 for topic in Topic}
    assert await epochs(engine) == [sorted(Topic)]


async def test_a_broker_that_lost_its_memory_begins_a_new_epoch(
    engine: AsyncEngine, kafka: KafkaSettings, broker: Broker
) -> None:
    if not isinstance(broker, EmbeddedBroker):
        pytest.skip("Apache Kafka keeps its memory")
    await provision(engine, kafka)
    broker.kill()
    broker.start()

    await provision(engine, kafka)

    assert await epochs(engine) == [sorted(Topic)] * 2


async def test_of_those_who_provision_at_once_each_topic_has_one_creator(kafka: KafkaSettings) -> None:
    created = await asyncio.gather(*(topics.create_missing(kafka) for _ in range(3)))

    assert sorted(name for names in created for name in names) == sorted(Topic)


async def test_the_process_waits_for_a_broker_that_comes_up_later(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    broker = EmbeddedBroker(tmp_path, free_port())
    environment = {
        "PATH": "/usr/bin:/bin",
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "KAFKA_TOPIC_PARTITIONS": "3",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "common.provision", env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    await asyncio.sleep(1)
    assert process.returncode is None

    broker.start()
    said, complained = await process.communicate()
    broker.stop()

    assert process.returncode == 0, complained
    assert b"provisioned" in said
    assert await epochs(engine) == [sorted(Topic)]


async def test_patience_ends_with_one_line_and_is_not_wasted_on_what_will_not_pass(kafka: KafkaSettings) -> None:
    async def unreachable() -> list[str]:
        raise ConnectionRefusedError("nobody there")

    async def broken() -> list[str]:
        raise KeyError("a bug")

    async def refused() -> list[str]:
        raise KafkaError("no")

    for work in (unreachable, refused):
        with pytest.raises(FreeportError, match=r"gave up after 0 s: \w+"):
            await patiently(work, seconds=0.1)
    with pytest.raises(KeyError):
        await patiently(broken)
    assert await patiently(lambda: topics.create_missing(kafka)) != []


async def test_an_epoch_is_on_the_database_s_clock(engine: AsyncEngine, kafka: KafkaSettings) -> None:
    async with engine.connect() as connection:
        before = await connection.scalar(select(func.clock_timestamp()))
    await provision(engine, kafka)

    async with engine.connect() as connection:
        (began,) = await connection.scalars(select(broker_epochs.c.started_at))
        after = await connection.scalar(select(func.clock_timestamp()))
    assert before is not None
    assert after is not None
    assert before < began < after
