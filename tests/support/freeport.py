"""Freeport's services as processes on the parts a test gives them, and a person's view of them."""

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import asyncpg

from common.rights import SERVICES
from common.settings import KafkaSettings
from support.databases import SHOWN, as_service
from support.simulated_esi import Answer
from support.stand_ins import free_port

T = TypeVar("T")
PATIENCE_SECONDS = 150.0
POLL_SECONDS = 0.2
LOADED = """
SELECT (SELECT count(*) FROM coverage WHERE complete_generation = generation) = $1
   AND NOT EXISTS (
       SELECT FROM contracts WHERE items_state = 'wanted')
   AND NOT EXISTS (
       SELECT FROM runs
        WHERE state IN ('queued', 'running')
          AND (dataset = 'names' OR (dataset = 'contracts' AND listed_at IS NOT NULL)))
"""


class Questions:
    """A connection for a test's questions to a database that may go away between them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    def rows(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return self._runner.run(self._rows(statement, arguments))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._runner.close()

    async def _rows(self, statement: str, arguments: Sequence[Any]) -> list[dict[str, Any]]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url)
        return [dict(row) for row in await self._connection.fetch(statement, *arguments)]


class Freeport:
    """The three services, each a process; any may be started, stopped or killed at any time."""

    def __init__(self, folder: Path, *, database_url: str, kafka: KafkaSettings, esi_url: str, **settings: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self.database = Questions(database_url)
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": database_url,
            **{name.upper(): str(value) for name, value in kafka.model_dump().items()},
            "ESI_BASE_URL": esi_url,
            "API_PORT": str(self.port),
            "SWEEP_INTERVAL": "5",
            "RECONCILE_INTERVAL": "1",
            **settings,
        }

    def provision(self) -> None:
        self._run("common.provision").wait(timeout=60)

    def start(self, *names: str) -> None:
        for name in names:
            self.processes[name] = self._run(name)

    def stop(self, *names: str) -> None:
        """End services as a deployment does; raises when one does not end cleanly."""
        for name in names:
            self.processes[name].send_signal(signal.SIGTERM)
        for name in names:
            assert self.processes.pop(name).wait(timeout=60) == 0, f"{name} did not stop cleanly:\n{self.log(name)}"

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.database.close()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def get(self, path: str, **parameters: Any) -> Any:
        """The content of a 200."""
        reply = self.ask("GET", path + (f"?{urlencode(parameters, doseq=True)}" if parameters else ""))
        assert reply.status == 200, reply
        return reply.content

    def shown(self) -> Mapping[str, str]:
        """The headers that show a key."""
        return SHOWN

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = dict(headers or {})
        if body is not None:
            sent = {"content-type": "application/json", **self.shown(), **sent}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read())
        finally:
            connection.close()

    def ready(self) -> bool:
        try:
            return self.ask("GET", "/health/ready").status == 200
        except OSError:
            return False

    def contracts(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Every contract that the list serves, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get("/api/v1/contracts", limit=200, **filters, **cursor)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def rows(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        return self.database.rows(statement, *arguments)

    def value(self, statement: str, *arguments: Any) -> Any:
        (row,) = self.rows(statement, *arguments)
        (value,) = row.values()
        return value

    def loaded(self, regions: int) -> bool:
        """Whether that many regions are covered completely, with items and names.

        Runs of other datasets do not count, nor does a sweep that waits for upstream's next list: there always is one.
        """
        return bool(self.value(LOADED, regions))

    def _environment_of(self, module: str) -> Mapping[str, str]:
        """Each service connects as the role of its own; what prepares the database, as the owner."""
        url = as_service(self.database_url, module) if module in SERVICES else self.database_url
        return {**self.environment, "DATABASE_URL": url}

    def _run(self, module: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / f"{module}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module],
                cwd=self.folder,
                env=environment or self._environment_of(module),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )


def eventually(probe: Callable[[], T], *, seconds: float = PATIENCE_SECONDS, what: str = "") -> T:
    """The first truthy answer of `probe`. Fails when there is none in good time."""
    give_up = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > give_up:
            raise AssertionError(f"still not after {seconds:.0f} s: {what or probe}; last answer: {found!r}")
        time.sleep(POLL_SECONDS)


def same_market(freeport: Freeport, truth: Mapping[str, Any], region_id: int) -> None:
    """Hold what is served of a region to what upstream has: the contracts, their terms and their items.

    A market may stand still while our clock goes on: what is listed and has expired by it is live for nobody.
    """
    asked_at = datetime.now(UTC)
    served = {row["contract_id"]: row for row in freeport.contracts(region_id=region_id)}
    listed = [row for row in truth["listed"] if row["contract_id"] in set(truth["live"])]
    live = {row["contract_id"]: row for row in listed if datetime.fromisoformat(row["date_expired"]) > asked_at}
    read_at = datetime.now(UTC)
    for contract_id, row in [*live.items()]:
        if contract_id not in served and datetime.fromisoformat(row["date_expired"]) <= read_at:
            del live[contract_id]  # it expired while the pages were read
    assert served.keys() == live.keys(), (
        f"missing {sorted(live.keys() - served.keys())[:5]}, too many {sorted(served.keys() - live.keys())[:5]}"
    )
    for contract_id, row in live.items():
        for name in ("price", "reward", "volume"):
            assert served[contract_id][name] == row.get(name), (contract_id, name)
    stored = freeport.rows(
        "SELECT contract_id, count(*) AS lines, sum(quantity)::bigint AS quantity, sum(record_id)::bigint AS records"
        "  FROM contract_items JOIN contracts USING (contract_id) WHERE region_id = $1 GROUP BY contract_id",
        region_id,
    )
    ours = {row["contract_id"]: (row["lines"], row["quantity"], row["records"]) for row in stored}
    for contract_id, items in truth["items"].items():
        if items and int(contract_id) in live:
            quantity, records = sum(item["quantity"] for item in items), sum(item["record_id"] for item in items)
            assert ours[int(contract_id)] == (len(items), quantity, records), contract_id
