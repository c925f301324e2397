import asyncio
import json
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from common.settings import KafkaSettings
from end_to_end.conftest import World
from support.freeport import Freeport, eventually

COMMAND = {"dataset": "contracts", "scope": {"region_id": 10000043}, "force": True}
COMMANDS = "freeport.ingest.commands.v1"
RUNS = "freeport.ingest.runs.v1"


def test_a_command_over_http_becomes_a_run_that_ends_and_is_told_of(shared: World) -> None:
    request_id = "told-by-a-test-1"

    reply = shared.freeport.ask("POST", "/api/v1/data/ingest", COMMAND, {"X-Request-ID": request_id})

    assert reply.status == 202
    assert reply.headers["x-request-id"] == request_id
    run = eventually(lambda: _ended(shared.freeport, reply.headers["location"]))
    assert run["state"] == "succeeded"
    assert run["counts"]["unchanged"] == run["counts"]["fetched"] > 0
    told = [record for record in asyncio.run(_read(shared.kafka, RUNS)) if record.key.decode() == run["run_id"]]
    assert [_header(record, "ce_type").split(".")[-2] for record in told] == ["accepted", "started", "finished"]
    assert {_header(record, "x-request-id") for record in told} == {request_id}
    assert {_header(record, "traceparent").split("-")[1] for record in told} == {
        reply.headers["traceparent"].split("-")[1]
    }
    assert request_id in shared.freeport.log("api")
    assert request_id in shared.freeport.log("ingestor")


def test_a_command_from_a_plain_producer_without_headers_runs_and_shows_up(shared: World) -> None:
    asyncio.run(_produce(shared.kafka, [json.dumps(COMMAND).encode()]))

    def run() -> Any:
        runs = shared.freeport.get("/api/v1/data/runs", dataset="contracts")["items"]
        return next((run for run in runs if run["source"] == "kafka" and run["state"] == "succeeded"), None)

    assert eventually(run, what="the plain producer's run")["scope"] == {"region_id": 10000043}


def test_poison_is_set_aside_byte_for_byte_and_the_good_ones_around_it_are_handled(shared: World) -> None:
    good = json.dumps(COMMAND).encode()
    poison = [b"{", b"\xff\x00\xfe", b'{"dataset": "nonsense"}', b"[" * 100_000, b"x" * 900_000, b'"\\u0000"', b""]

    carried_out = "SELECT count(*) FROM runs WHERE source = 'kafka' AND state = 'succeeded'"
    before = shared.freeport.value(carried_out)

    asyncio.run(_produce(shared.kafka, [good, *poison, None, good], headers=[("broken", b"\xff\xfe"), ("null", None)]))

    def handled() -> bool:
        return bool(shared.freeport.value(carried_out) == before + 2)

    eventually(handled, what="both good commands are carried out")
    letters = shared.freeport.rows("SELECT value, reason, header_values FROM dead_letters")
    assert sorted(letter["value"] or b"NULL" for letter in letters) == sorted(
        value or b"NULL" for value in [*poison, None]
    )
    assert all(letter["reason"] for letter in letters)
    assert all(letter["header_values"] == [b"\xff\xfe", None] for letter in letters)
    told = eventually(lambda: asyncio.run(_read(shared.kafka, "freeport.dead-letters.v1")))
    assert {_header(record, "ce_type") for record in told} == {"freeport.dead_letter.v1"}


def test_a_command_for_a_region_that_does_not_exist_ends_as_failed_and_says_why(shared: World) -> None:
    asyncio.run(_produce(shared.kafka, [b'{"dataset": "contracts", "scope": {"region_id": 99}}']))

    def failed() -> Any:
        runs = shared.freeport.get("/api/v1/data/runs", state="failed")["items"]
        return runs[0] if runs else None

    assert "Region not found" in eventually(failed, what="the run fails")["reason"]


def test_upstream_down_at_the_start_is_told_and_ingestion_begins_when_it_returns(own: World) -> None:
    own.esi.control("faults", down=True)
    own.freeport.environment["RECONCILE_INTERVAL"] = "3600"  # what is put off falls due by its timers
    own.freeport.start("ingestor", "scheduler", "api")

    def told() -> bool:
        try:
            reply = own.freeport.ask("GET", "/health/ready")
        except OSError:
            return False
        return reply.status == 503 and b"upstream" in reply.body

    eventually(told, what="readiness names the upstream")
    own.esi.control("faults", down=False)

    eventually(lambda: own.freeport.loaded(2), what="the market is loaded")
    eventually(own.freeport.ready, what="readiness says so")


def _ended(freeport: Freeport, location: str) -> Any:
    run = freeport.get(location)
    return run if run["state"] not in {"queued", "running"} else None


async def _produce(
    kafka: KafkaSettings, values: Sequence[bytes | None], headers: Sequence[tuple[str, bytes | None]] = ()
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.kafka_bootstrap_servers)
    await producer.start()
    for value in values:
        await producer.send_and_wait(COMMANDS, value=value, key=b"contracts:10000043", headers=list(headers))
    await producer.stop()


async def _read(kafka: KafkaSettings, topic: str) -> list[Any]:
    """All there is on a topic by now."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.kafka_bootstrap_servers, auto_offset_reset="earliest", fetch_max_wait_ms=100
    )
    await consumer.start()
    records: list[Any] = []
    while batch := await consumer.getmany(timeout_ms=1500):
        records += [record for part in batch.values() for record in part]
    await consumer.stop()
    return records


def _header(record: Any, name: str) -> str:
    return str(dict(record.headers)[name].decode())
