from datetime import UTC
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import (
    CATALOGUE,
    ContractListed,
    Dataset,
    DeadLetter,
    Event,
    IngestRequested,
    ItemsWanted,
    RunCounts,
    Scope,
    Topic,
    encode,
)

IDS = st.integers(1, 2**63 - 1)
MOMENTS = st.datetimes(timezones=st.just(UTC))
AMOUNTS = st.none() | st.decimals(0, 10**12, places=2)
SCOPES = st.builds(Scope, region_id=st.none() | IDS)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))

COUNTS = st.builds(RunCounts, **dict.fromkeys(RunCounts.__struct_fields__, st.integers(0, 2**63 - 1)))

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "counts": COUNTS,
    "contract_ids": st.lists(IDS, min_size=1, max_size=50).map(tuple),
    "scope": SCOPES,
    "schedule_id": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    "attempt": st.integers(1, 1000),
    "value": st.none() | st.binary(max_size=1000),
    "amount": st.decimals(0, 10**12, places=2),
    "volume": st.none() | st.floats(0, 1e12),
    **dict.fromkeys(("contract_id", "region_id", "issuer_id", "issuer_corporation_id"), IDS),
    **dict.fromkeys(("start_location_id", "end_location_id"), st.none() | IDS),
    **dict.fromkeys(("price", "buyout", "reward", "collateral", "value_sell"), AMOUNTS),
    **dict.fromkeys(("slot_at", "date_issued", "generation"), MOMENTS),
    **dict.fromkeys(("label", "composition", "outcome", "consumer", "source_topic"), TEXT),
    **dict.fromkeys(("items_offered", "items_requested", "size"), st.integers(0, 2**63 - 1)),
    **dict.fromkeys(("title", "source_key"), st.none() | TEXT),
}


def events() -> st.SearchStrategy[Event]:
    commands = st.builds(
        IngestRequested, dataset=st.just(Dataset.CONTRACTS), scope=st.builds(Scope, region_id=IDS), force=st.booleans()
    )
    others = [
        st.builds(event, **{name: FIELDS[name] for name in event.__struct_fields__ if name in FIELDS})
        for event in CATALOGUE
        if event is not IngestRequested
    ]
    return st.one_of(commands, *others)


@given(events())
def test_every_event_reads_as_it_was_written(event: Event) -> None:
    read = msgspec.json.decode(encode(event), type=type(event))

    assert read == event
    assert read.key == event.key


@given(events(), st.dictionaries(TEXT.filter(lambda name: name.startswith("x")), st.integers()))
def test_a_reader_ignores_what_it_does_not_know(event: Event, unknown: dict[str, int]) -> None:
    fields = msgspec.json.decode(encode(event)) | {"surely_unknown": {"deep": [1, None]}} | unknown

    assert msgspec.json.decode(msgspec.json.encode(fields), type=type(event)) == event


@given(st.binary() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(msgspec.json.encode))
def test_whatever_is_no_command_is_refused_by_an_error_of_the_decoder_s(value: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeError)):
        msgspec.json.decode(value, type=IngestRequested)


def test_the_types_are_those_of_the_catalogue_and_no_two_are_the_same() -> None:
    assert sorted(event.type for event in CATALOGUE) == [
        "freeport.contract.bid.v1",
        "freeport.contract.changed.v1",
        "freeport.contract.delisted.v1",
        "freeport.contract.enriched.v1",
        "freeport.contract.listed.v1",
        "freeport.dead_letter.v1",
        "freeport.ingest.items.wanted.v1",
        "freeport.ingest.requested.v1",
        "freeport.ingest.run.accepted.v1",
        "freeport.ingest.run.finished.v1",
        "freeport.ingest.run.progressed.v1",
        "freeport.ingest.run.started.v1",
        "freeport.schedule.due.v1",
    ]


def test_each_topic_is_used_and_each_event_documented() -> None:
    assert {event.topic for event in CATALOGUE} == set(Topic)
    assert all(event.__doc__ for event in CATALOGUE)


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**30])
def test_an_id_that_no_column_holds_is_refused(number: int) -> None:
    for event, field in (
        (IngestRequested, "region_id"),
        (ItemsWanted, "contract_ids"),
        (ContractListed, "contract_id"),
    ):
        value: object = {"dataset": "contracts", "scope": {"region_id": number}}
        if event is not IngestRequested:
            value = {"region_id": 1, field: [number] if field == "contract_ids" else number}
        with pytest.raises(msgspec.ValidationError, match="int"):
            msgspec.json.decode(_json(value), type=event)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ({"dataset": "contracts"}, "scope.region_id is required"),
        ({"dataset": "universe", "scope": {"region_id": 1}}, "means nothing"),
        ({"dataset": "moons"}, "moons"),
        ({"dataset": "universe", "run_id": "not a uuid"}, "UUID"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused_with_the_reason(command: object, fault: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=fault):
        msgspec.json.decode(_json(command), type=IngestRequested)


def test_commands_for_one_region_have_one_key() -> None:
    one = IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=7))
    other = IngestRequested(dataset=Dataset.CONTRACTS, scope=Scope(region_id=7), force=True)

    assert one.key == other.key == "contracts:7"
    assert IngestRequested(dataset=Dataset.UNIVERSE).key == "universe:all"


def test_amounts_travel_as_numbers_to_the_cent() -> None:
    listed = msgspec.convert(
        {
            "contract_id": 1,
            "region_id": 1,
            "contract_type": "auction",
            "issuer_id": 1,
            "issuer_corporation_id": 1,
            "date_issued": "2026-01-01T00:00:00Z",
            "date_expired": "2026-01-02T00:00:00Z",
            "price": "123456789012345.67",
        },
        ContractListed,
    )

    assert b'"price":123456789012345.67' in encode(listed)


def test_a_dead_letter_keeps_its_original_s_key() -> None:
    known = {"dead_letter_id": "01890a5d-ac96-774b-bcce-b302099a8057", "consumer": "c", "source_topic": "t"}
    known |= {"source_partition": 0, "source_offset": 0, "reason": "r", "size": 0, "value": None}  # type: ignore[dict-item]  # mixed

    assert msgspec.convert(known | {"source_key": "k"}, DeadLetter).key == "k"
    assert msgspec.convert(known | {"source_key": None}, DeadLetter).key == known["dead_letter_id"]


def _json(value: object) -> bytes:
    """As any producer could write it; msgspec's own encoder refuses huge integers."""
    return repr(value).replace("'", '"').encode()
