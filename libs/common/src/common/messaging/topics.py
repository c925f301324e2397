"""The topics as they are created. Nothing else creates any: brokers' automatic ones have the wrong shape."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from common.events import Topic
from common.settings import KafkaSettings

_DAY_MS = 24 * 3600 * 1000
RETENTION_MS = {
    Topic.COMMANDS: 7 * _DAY_MS,
    Topic.SCHEDULES_DUE: 1 * _DAY_MS,
    Topic.ITEMS: 1 * _DAY_MS,
    Topic.RUNS: 7 * _DAY_MS,
    Topic.CONTRACT_EVENTS: 7 * _DAY_MS,
    Topic.DEAD_LETTERS: 30 * _DAY_MS,
}


async def create_missing(settings: KafkaSettings) -> list[str]:
    """Create the topics that do not exist and return their names; the others are left as they are."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers, request_timeout_ms=10_000)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in Topic if topic.value not in existing]
        if missing:
            try:
                await admin.create_topics([_new(topic, settings) for topic in missing])
            except TopicAlreadyExistsError:  # somebody else provisions at the same moment
                return []
        return [topic.value for topic in missing]
    finally:
        await admin.close()


def _new(topic: Topic, settings: KafkaSettings) -> NewTopic:
    return NewTopic(
        name=topic.value,
        num_partitions=settings.kafka_topic_partitions,
        replication_factor=settings.kafka_replication_factor,
        topic_configs={"retention.ms": str(RETENTION_MS[topic])},
    )
