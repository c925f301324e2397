from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from common.ids import new_id
from common.messaging.cloudevents import headers, message_id, readable

PLACES = st.tuples(st.text(), st.integers(0, 1000), st.integers(0, 2**63 - 1), st.integers(-1, 2**63 - 1))


def identify(named: dict[str, str], place: tuple[str, int, int, int]) -> UUID:
    topic, partition, offset, timestamp_ms = place
    return message_id(named, topic=topic, partition=partition, offset=offset, timestamp_ms=timestamp_ms)


def test_the_headers_are_cloudevents_in_kafka_s_binary_binding() -> None:
    event_id = new_id()

    written = headers(
        event_id=event_id,
        event_type="freeport.ingest.requested.v1",
        service="api",
        time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        traceparent=None,
        request_id="r",
    )

    assert dict(written) == {
        "ce_specversion": b"1.0",
        "ce_id": str(event_id).encode(),
        "ce_type": b"freeport.ingest.requested.v1",
        "ce_source": b"/freeport/api",
        "ce_time": b"2026-01-02T03:04:05Z",
        "content-type": b"application/json",
        "x-request-id": b"r",
    }


@given(PLACES, PLACES)
def test_a_message_without_an_id_is_known_by_where_and_when_it_stands(
    one: tuple[str, int, int, int], other: tuple[str, int, int, int]
) -> None:
    assert (identify({}, one) == identify({}, other)) == (one == other)


def test_a_broker_that_counts_offsets_anew_makes_no_two_messages_one() -> None:
    assert identify({}, ("t", 0, 0, 1)) != identify({}, ("t", 0, 0, 2))


@given(st.text(), PLACES, PLACES)
def test_an_id_that_is_no_uuid_stands_for_the_same_message_wherever_it_stands(
    given_id: str, one: tuple[str, int, int, int], other: tuple[str, int, int, int]
) -> None:
    named = {"ce_id": f"order-{given_id}", "ce_source": "/elsewhere"}

    assert identify(named, one) == identify(named, other)
    assert identify(named | {"ce_source": "/another"}, one) != identify(named, one)


def test_a_uuid_is_taken_as_it_is() -> None:
    event_id = new_id()

    assert identify({"ce_id": str(event_id)}, ("t", 0, 0, 0)) == event_id


@given(st.lists(st.tuples(st.text(), st.none() | st.binary())))
def test_no_header_makes_a_message_unreadable(raw: list[tuple[str, bytes | None]]) -> None:
    named = readable(raw)

    assert set(named) == {name for name, _ in raw}
    "".join(named.values()).encode()
