"""One running Freeport, from its first market to its restart. The tests go by their order."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from common.events import ContractEnriched, ContractListed, Topic
from common.settings import KafkaSettings
from end_to_end.conftest import World
from support.freeport import Freeport, eventually, same_market

DOMAIN = 10000043
THE_FORGE = 10000002
BACKLOG = 200
COMMAND = {"dataset": "contracts", "scope": {"region_id": DOMAIN}, "force": True}
COMMANDS = "freeport.ingest.commands.v1"
RUNS = "freeport.ingest.runs.v1"
REQUESTS = "SELECT count(*) FROM ingest_requests"
WAITING = "SELECT count(*) FROM contracts WHERE region_id = $1 AND items_state = 'wanted'"


def test_the_market_is_served_as_upstream_has_it_and_every_count_adds_up(shared: World) -> None:
    for region_id in (THE_FORGE, DOMAIN):
        same_market(shared.freeport, shared.esi.truth(region_id), region_id)
    for run in shared.freeport.get("/api/v1/data/runs", dataset="contracts")["items"]:
        counts = run["counts"]
        parts = ("listed", "changed", "unchanged", "rejected")
        assert counts["fetched"] == sum(counts[part] for part in parts)
        assert counts["items_wanted"] == counts["items_done"] + counts["items_failed"]
    assert shared.freeport.value("SELECT count(*) FROM dead_letters") == 0


def test_a_slot_is_followed_to_the_run_it_caused(shared: World) -> None:
    slot = shared.freeport.rows(
        "SELECT * FROM schedule_slots WHERE schedule_id = 'contracts:10000043' ORDER BY slot_at"
    )[0]

    run = shared.freeport.get(f"/api/v1/data/runs/{slot['run_id']}")

    assert run["source"] == "schedule"
    assert run["state"] == "succeeded"
    assert run["schedule_id"] == "contracts:10000043"


def test_what_vanishes_upstream_is_delisted_and_its_detail_stays(shared: World) -> None:
    gone = [row["contract_id"] for row in shared.esi.truth(THE_FORGE)["listed"]][:3]

    shared.esi.control("vanish", contract_ids=gone)
    shared.esi.control("clock", advance=10)

    def all_gone() -> bool:
        return not {row["contract_id"] for row in shared.freeport.contracts(region_id=THE_FORGE)} & set(gone)

    eventually(all_gone, what="the vanished contracts leave the list")
    for contract_id in gone:
        detail = shared.freeport.get(f"/api/v1/contracts/{contract_id}")
        assert detail["delisted_at"] is not None
        assert detail["items_offered"] or detail["items_requested"]


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


def test_an_ingestor_stopped_in_the_middle_of_its_work_ends_cleanly_and_sets_nothing_aside(shared: World) -> None:
    set_aside = shared.freeport.value("SELECT count(*) FROM dead_letters")
    shared.esi.control("faults", route="items", status=200, delay=0.5, count=100_000)
    shared.esi.control("list", region_id=DOMAIN, count=BACKLOG, kind="goods")
    eventually(lambda: shared.freeport.value(WAITING, DOMAIN) > 0, what="items are wanted")

    shared.freeport.stop("ingestor")

    assert shared.freeport.value(WAITING, DOMAIN) > 0
    assert "handler failed" not in shared.freeport.log("ingestor")
    assert shared.freeport.value("SELECT count(*) FROM dead_letters") == set_aside
    shared.esi.control("faults", clear=True)


def test_services_stop_cleanly_and_the_market_survives_their_restart(shared: World) -> None:
    shared.freeport.stop("api", "scheduler")

    shared.freeport.start("ingestor", "scheduler", "api")

    eventually(shared.freeport.ready, what="the api is ready again")
    eventually(lambda: shared.freeport.loaded(2), what="what was begun is ended")
    same_market(shared.freeport, shared.esi.truth(DOMAIN), DOMAIN)


def test_what_is_new_is_found_and_read_on_schedule_while_a_backlog_stalls(shared: World) -> None:
    requests = shared.freeport.value(REQUESTS)
    stuck = shared.esi.control("list", region_id=DOMAIN, count=BACKLOG, kind="goods")["contract_ids"]
    for contract_id in stuck:
        shared.esi.control("faults", route="items", contains=str(contract_id), delay=20, count=1_000)
    eventually(lambda: shared.freeport.value(WAITING, DOMAIN) == BACKLOG, what="the backlog is wanted")

    new = shared.esi.control("list", region_id=THE_FORGE, count=1, kind="goods")["contract_ids"][0]

    eventually(lambda: shared.freeport.ask("GET", f"/api/v1/contracts/{new}").status == 200, what="its row is served")
    eventually(lambda: shared.freeport.get(f"/api/v1/contracts/{new}")["items_offered"], what="its items are served")
    assert asyncio.run(_told_of(shared.kafka, new)) == [ContractListed.type, ContractEnriched.type]
    assert shared.freeport.value(REQUESTS) == requests
    assert shared.freeport.value(WAITING, DOMAIN) == BACKLOG


async def _told_of(kafka: KafkaSettings, contract_id: int) -> list[str]:
    """The types of the first two events of a contract, as soon as they are on the wire."""
    topic, found = Topic.CONTRACT_EVENTS.value, list[str]()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.kafka_bootstrap_servers, fetch_max_wait_ms=50)
    await consumer.start()
    try:
        await consumer.topics()
        consumer.assign([TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()])
        await consumer.seek_to_beginning()
        while len(found) < 2:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                named = [dict(record.headers) for record in batch if record.key.decode() == str(contract_id)]
                found += [headers["ce_type"].decode() for headers in named]
        return found
    finally:
        await consumer.stop()


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
