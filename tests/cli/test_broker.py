import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from cli.embedded.broker import EmbeddedBroker
from cli.embedded.metadata_request import cluster_at
from cli.errors import StackError
from cli.ports import Port, require_free


@pytest.fixture
def broker(spacious: Path, port: int) -> Iterator[EmbeddedBroker]:
    server = EmbeddedBroker(spacious, port)
    yield server
    server.stop()


async def topics(bootstrap_servers: str, create: str | None = None) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        if create:
            await admin.create_topics([NewTopic(create, 3, 1)])
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def test_it_answers_kafka_clients_as_soon_as_it_is_started(broker: EmbeddedBroker) -> None:
    assert await topics(broker.start(), create="contracts") == ["contracts"]


async def test_a_restart_forgets_everything(broker: EmbeddedBroker) -> None:
    await topics(broker.start(), create="contracts")

    broker.kill()

    assert await topics(broker.start()) == []


def test_a_stop_frees_the_port(broker: EmbeddedBroker, port: int) -> None:
    broker.start()

    broker.stop()

    require_free([Port("PORT", "127.0.0.1", port)])


def test_another_broker_on_the_port_is_not_taken_for_ours(broker: EmbeddedBroker, tmp_path: Path) -> None:
    broker.start()

    with pytest.raises(StackError, match="Address in use"):
        EmbeddedBroker(tmp_path, broker.port).start()


async def test_a_port_that_answers_nonsense_is_no_broker(port: int) -> None:
    async def chatter(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(chatter, "127.0.0.1", port):
        assert await asyncio.to_thread(cluster_at, port) is None


def test_it_runs_in_place_and_writes_nothing_but_its_log(broker: EmbeddedBroker, spacious: Path) -> None:
    broker.start()

    assert broker.pid is not None
    assert "site-packages" in str(Path(f"/proc/{broker.pid}/exe").readlink())
    assert os.listdir(spacious) == ["broker.log"]  # noqa: PTH208
