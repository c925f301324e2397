"""CloudEvents 1.0 in Kafka's binary binding: the headers of every message we send, and how we read anyone's.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from common.ids import derived_id

Headers = list[tuple[str, bytes]]


def headers(
    *, event_id: UUID, event_type: str, service: str, time: datetime, traceparent: str | None, request_id: str | None
) -> Headers:
    """The headers of a message that `service` sends."""
    named = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_type": event_type,
        "ce_source": f"/freeport/{service}",
        "ce_time": time.isoformat().replace("+00:00", "Z"),
        "content-type": "application/json",
        "traceparent": traceparent,
        "x-request-id": request_id,
    }
    return [(name, value.encode()) for name, value in named.items() if value is not None]


def readable(raw: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Headers as text; what is not text is replaced, for no header may make a message unreadable."""
    return {name: (value or b"").decode("utf-8", "replace") for name, value in raw}


def message_id(named: dict[str, str], *, topic: str, partition: int, offset: int, timestamp_ms: int) -> UUID:
    """The CloudEvents id, or one derived from where the message stands.

    The timestamp is part of the place: a broker that lost its memory counts offsets from zero again.
    """
    given = named.get("ce_id")
    if not given:
        return derived_id(topic, partition, offset, timestamp_ms)
    try:
        return UUID(given)
    except ValueError:
        return derived_id(named.get("ce_source", ""), given)
