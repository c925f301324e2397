"""The AsyncAPI 3.0 document: every event of the catalogue, generated from its class."""

import inspect
from collections import defaultdict
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec
import orjson

from common.events import CATALOGUE, Event, Topic

DESCRIPTION = """
What Freeport says on Kafka, and what it understands.

Every message is JSON with CloudEvents 1.0 headers (Kafka binary binding) and a W3C `traceparent`. Messages of one key
are in order. Delivery is at least once: `ce_id` recognises a repeat. An event grows by optional fields only; readers
ignore what they do not know. A command needs no header at all.
"""

TOPICS = {
    Topic.COMMANDS: "Commands to read a dataset from upstream. Anybody may send one; the key is `dataset:scope`.",
    Topic.SCHEDULES_DUE: "Slots of schedules that have come. The key is the schedule's id.",
    Topic.ITEMS: "Contracts whose items are to be read, spread over the ingestors. The key is the first contract's id.",
    Topic.RUNS: "The life of every run. The key is the run's id.",
    Topic.CONTRACT_EVENTS: "What happens to contracts. The key is the contract's id.",
    Topic.DEAD_LETTERS: "Messages that no consumer could handle. The key is the original one.",
}
RECEIVED = (Topic.COMMANDS,)
"""What others may send. All other topics are Freeport's own to write."""

HEADERS = {
    "type": "object",
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "The same for every delivery"},
        "ce_type": {"type": "string"},
        "ce_source": {"type": "string", "examples": ["/freeport/ingestor"]},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"type": "string", "const": "application/json"},
        "traceparent": {"type": "string", "description": "W3C Trace Context"},
        "x-request-id": {"type": "string", "description": "The HTTP request that it began with"},
    },
}


@cache
def document() -> bytes:
    """The document as JSON."""
    schemas = _schemas()
    by_topic: dict[Topic, list[type[Event]]] = defaultdict(list)
    for event in CATALOGUE:
        by_topic[event.topic].append(event)
    return orjson.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {
                "title": "Freeport events",
                "version": version("freeport-api"),
                "description": DESCRIPTION,
                "license": {"name": "MIT"},
            },
            "defaultContentType": "application/json",
            "channels": {_identifier(topic): _channel(topic, events) for topic, events in by_topic.items()},
            "operations": dict(_operation(topic) for topic in by_topic),
            "components": {
                "messages": {event.__name__: _message(event) for event in CATALOGUE},
                "messageTraits": {"cloudEvent": {"headers": HEADERS, "contentType": "application/json"}},
                "schemas": schemas,
            },
        }
    )


def _identifier(topic: Topic) -> str:
    """The topic's name in camel case, as identifiers in the document are."""
    first, *others = topic.name.lower().split("_")
    return first + "".join(word.title() for word in others)


def _channel(topic: Topic, events: list[type[Event]]) -> dict[str, Any]:
    return {
        "address": topic.value,
        "description": TOPICS[topic],
        "messages": {event.__name__: {"$ref": f"#/components/messages/{event.__name__}"} for event in events},
        "bindings": {"kafka": {"topic": topic.value}},
    }


def _operation(topic: Topic) -> tuple[str, dict[str, Any]]:
    action = "receive" if topic in RECEIVED else "send"
    identifier = _identifier(topic)
    return f"{action}{identifier[0].upper()}{identifier[1:]}", {
        "action": action,
        "channel": {"$ref": f"#/channels/{identifier}"},
        "summary": TOPICS[topic].split(". ", 1)[0],
    }


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": inspect.cleandoc(event.__doc__ or "").split("\n", 1)[0],
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
    }


def _schemas() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(CATALOGUE, ref_template="#/components/schemas/{name}")
    amounts: dict[str, Any] = _with_numeric_amounts(components)
    return amounts


def _with_numeric_amounts(schema: Any) -> Any:
    """Msgspec describes amounts as the strings it would write by itself; ours leave as numbers."""
    if isinstance(schema, list):
        return [_with_numeric_amounts(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {**{name: value for name, value in schema.items() if name != "format"}, "type": "number"}
    return {name: _with_numeric_amounts(value) for name, value in schema.items()}
