import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from common.events import ContractEnriched, ContractListed, Topic
from common.settings import KafkaSettings
from end_to_end.conftest import World
from support.freeport import eventually

DOMAIN = 10000043
THE_FORGE = 10000002
BACKLOG = 200
WAITING = "SELECT count(*) FROM contracts WHERE region_id = $1 AND items_state = 'wanted'"


def test_what_is_new_is_found_and_read_on_schedule_while_a_backlog_stalls(own: World) -> None:
    own.load()
    stuck = own.esi.control("list", region_id=DOMAIN, count=BACKLOG, kind="goods")["contract_ids"]
    for contract_id in stuck:
        own.esi.control("faults", route="items", contains=str(contract_id), delay=20, count=1_000)
    eventually(lambda: own.freeport.value(WAITING, DOMAIN) == BACKLOG, what="the backlog is wanted")

    new = own.esi.control("list", region_id=THE_FORGE, count=1, kind="goods")["contract_ids"][0]

    eventually(lambda: own.freeport.ask("GET", f"/api/v1/contracts/{new}").status == 200, what="its row is served")
    eventually(lambda: own.freeport.get(f"/api/v1/contracts/{new}")["items_offered"], what="its items are served")
    assert asyncio.run(_told_of(own.kafka, new)) == [ContractListed.type, ContractEnriched.type]
    assert own.freeport.value("SELECT count(*) FROM ingest_requests") == 0
    assert own.freeport.value(WAITING, DOMAIN) == BACKLOG


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
