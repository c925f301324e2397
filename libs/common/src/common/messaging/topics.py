"""The topics as they are created. Nothing else creates any: brokers' automatic ones have the wrong shape."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code

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
    """Create the topics that do not exist and return their names; the others are left as they are.

    Raises the broker's `KafkaError` when it refuses one.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers, request_timeout_ms=10_000)
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [topic for topic in Topic if topic.value not in existing]
        if not missing:
            return []
        answer = await admin.create_topics([_new(topic, settings) for topic in missing])
        return [name for name, code, *message in answer.topic_errors if _created(name, code, message)]
    finally:
        await admin.close()


def _created(name: str, code: int, message: Sequence[object]) -> bool:
    """Whether we made the topic, and not somebody else who provisions at the same moment."""
    error = for_code(code)
    if error not in {NoError, TopicAlreadyExistsError}:
        raise error(f"{name}: {' '.join(str(part) for part in message if part) or error.description}")
    return error is NoError


def _new(topic: Topic, settings: KafkaSettings) -> NewTopic:
    return NewTopic(
        name=topic.value,
        num_partitions=settings.kafka_topic_partitions,
        replication_factor=settings.kafka_replication_factor,
        topic_configs={"retention.ms": str(RETENTION_MS[topic])},
    )
