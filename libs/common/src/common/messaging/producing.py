from aiokafka import AIOKafkaProducer

from common.settings import KafkaSettings

MAX_MESSAGE_BYTES = 1_000_000
"""Below the million and a bit that Apache Kafka's brokers take by default."""


def create_producer(settings: KafkaSettings, *, service: str) -> AIOKafkaProducer:
    """A producer whose answered sends are on every replica."""
    return AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        client_id=f"freeport-{service}",
        acks="all",
        enable_idempotence=settings.kafka_enable_idempotence,
        linger_ms=5,
        max_batch_size=256 * 1024,
        max_request_size=MAX_MESSAGE_BYTES,
        request_timeout_ms=30_000,
    )
