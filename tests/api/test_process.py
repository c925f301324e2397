"""The api as the process that it is."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import psutil
import pytest

from cli.embedded.postgres import EmbeddedPostgres
from common import schema
from support.databases import as_service
from support.market_rows import THE_FORGE
from support.served_api import NOWHERE, Reply, ServedApi, hook_folder
from support.stand_ins import free_port


async def started(folder: Path, database_url: str, **settings: str) -> Process:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": as_service(database_url, "api"),
        "KAFKA_BOOTSTRAP_SERVERS": NOWHERE,
        "KAFKA_ENABLE_IDEMPOTENCE": "false",
        **settings,
    }
    command = (sys.executable, "-m", "api")
    return await asyncio.create_subprocess_exec(*command, env=environment, cwd=folder, stdout=PIPE, stderr=PIPE)


@asynccontextmanager
async def running(folder: Path, database_url: str, **settings: str) -> AsyncIterator[tuple[ServedApi, Process]]:
    """An api process that answers, for as long as the block runs."""
    port = free_port()
    process = await started(folder, database_url, API_PORT=str(port), **settings)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session:
        api = ServedApi(f"http://127.0.0.1:{port}", session)
        try:
            await until(api, "/health", 200)
            yield api, process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def until(api: ServedApi, path: str, status: int) -> Reply:
    """Ask until it answers so; the test's own time limit is the end of patience."""
    while True:
        with contextlib.suppress(aiohttp.ClientConnectionError):
            reply = await api.get(path)
            if reply.status == status:
                return reply
        await asyncio.sleep(0.05)


async def test_it_accepts_commands_without_a_broker_in_little_memory_and_stops_on_a_signal(
    tmp_path: Path, database_url: str
) -> None:
    async with running(tmp_path, database_url) as (api, process):
        accepted = await api.ingest({"dataset": "contracts", "scope": {"region_id": THE_FORGE}})
        for path in ("/api/v1/contracts", "/api/v1/regions", "/openapi.json", "/asyncapi.json", "/docs"):
            assert (await api.get(path)).status == 200
        outbox = (await api.get("/api/v1/data/stats")).content["outbox"]
        resident = psutil.Process(process.pid).memory_info().rss
        process.send_signal(signal.SIGTERM)
        output, errors = await process.communicate()

    assert (accepted.status, outbox["api"]) == (202, 2)
    assert resident < 120 * 2**20
    assert (process.returncode, errors) == (0, b"")
    assert database_url.encode() not in output


async def made_known(url: str, role: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE ROLE {role} LOGIN")
    await connection.close()


async def test_it_starts_before_its_database_and_finds_it_when_it_comes(tmp_path: Path, fresh_cluster: Path) -> None:
    server = EmbeddedPostgres(fresh_cluster, free_port(), durable=False)

    async with running(tmp_path, server.url) as (api, _):
        missing = (await until(api, "/health/ready", 503)).content["missing"]
        server.start()
        try:
            while missing == ["database: cannot be reached"]:
                missing = (await until(api, "/health/ready", 503)).content["missing"]
            unknown = (missing, await until(api, "/api/v1/regions", 503))
            await made_known(server.url, "freeport_api")
            missing = (await until(api, "/health/ready", 503)).content["missing"]
        finally:
            server.stop()
        gone = await until(api, "/api/v1/regions", 503)

    assert unknown[0] == ["database: does not let this service in"]
    assert unknown[1].content["detail"] == "The database does not let this service in"
    assert missing == [f"database schema: is at nothing, wants {schema.head()}"]
    assert gone.content["detail"] == "The database cannot be reached"


@pytest.mark.parametrize("phase", ["middleware", "startup"])
async def test_a_broken_hook_ends_the_start_with_one_line(tmp_path: Path, phase: str) -> None:
    function = {"middleware": "register_middleware", "startup": "startup_hook"}[phase]
    hooks = hook_folder(tmp_path, **{f"{phase}__broken": f"async def {function}(app):\n    1 / 0\n"})

    process = await started(tmp_path, f"postgresql://{NOWHERE}/x", API_HOOKS=str(hooks), API_PORT="0")
    _, errors = await process.communicate()

    assert process.returncode == 1
    assert errors.decode() == f"{hooks}/{phase}/broken.py:2: ZeroDivisionError: division by zero\n"


async def test_a_taken_port_or_a_wrong_setting_ends_the_start_with_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        occupied = await started(tmp_path, f"postgresql://{NOWHERE}/x", API_PORT=str(port))
        trusting = await started(tmp_path, f"postgresql://{NOWHERE}/x", CORS_ORIGINS="*", CORS_ALLOW_CREDENTIALS="true")
        (_, occupied_said), (_, trusting_said) = await asyncio.gather(occupied.communicate(), trusting.communicate())

    assert occupied.returncode not in {0, None}
    assert occupied_said.decode() == f"API_HOST, API_PORT: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert trusting.returncode not in {0, None}
    assert trusting_said.startswith(b"CORS_ALLOW_CREDENTIALS: ")
    assert trusting_said.count(b"\n") == 1
