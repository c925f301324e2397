from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import Dataset, ItemsWanted, Scope
from common.slots import Definition, Emission, EmissionError, Meant, event_id, event_of, faults, meant_by

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
COMMAND, DUE = "freeport.ingest.requested.v1", "freeport.schedule.due.v1"
ITEMS, LISTED = "freeport.ingest.items.wanted.v1", "freeport.contract.listed.v1"
WANTED: dict[str, Any] = {"region_id": 10000002, "contract_ids": [1, 2]}
LISTING: dict[str, Any] = {
    "contract_id": 1,
    "region_id": 2,
    "contract_type": "auction",
    "issuer_id": 3,
    "issuer_corporation_id": 4,
    "date_issued": "2026-01-01T00:00:00Z",
    "date_expired": "2026-01-02T00:00:00Z",
    "price": 12.34,
}


def emission(kind: str, **data: Any) -> Emission:
    return Emission(type=kind, data=data)


def test_any_event_of_the_catalogue_can_be_emitted_as_it_stands() -> None:
    assert event_of(emission(ITEMS, **WANTED)) == ItemsWanted(region_id=10000002, contract_ids=(1, 2))
    assert str(event_of(emission(LISTED, **LISTING)).price) == "12.34"  # type: ignore[attr-defined]  # a listing


@pytest.mark.parametrize(
    ("said", "field", "reason"),
    [
        (emission("freeport.contract.listed.v2"), "emits.type", "there is no event"),
        (emission(ITEMS, contract_ids=[1]), "emits.data.region_id", "is required"),
        (emission(ITEMS, **WANTED, region=1), "emits.data.region", "is no field"),
        (emission(ITEMS, region_id="Forge", contract_ids=[1]), "emits.data.region_id", "expected `int`"),
        (emission(ITEMS, region_id=1, contract_ids=[]), "emits.data.contract_ids", "length"),
        (emission(ITEMS, region_id=1, contract_ids=[0]), "emits.data.contract_ids[0]", "`int` >= 1"),
        (emission(LISTED, **{**LISTING, "date_expired": "soon"}), "emits.data.date_expired", "RFC3339"),
        (emission(COMMAND, dataset="moons"), "emits.data.dataset", "enum"),
        (emission(COMMAND, dataset="contracts"), "emits.data.scope.region_id", "is required"),
        (emission(COMMAND, dataset="prices", scope={"moon": 1}), "emits.data.scope.moon", "is no field"),
        (emission(COMMAND, dataset="prices", force=True), "emits.data.force", "means nothing"),
        (emission(COMMAND, dataset="prices", run_id=str(event_id("s", NOON))), "emits.data.run_id", "the slot's own"),
        (emission(DUE, action="reconcile", slot_at=NOON.isoformat()), "emits.data.slot_at", "the slot's own"),
        (emission(DUE, action="reconcile", schedule_id="other"), "emits.data.schedule_id", "the slot's own"),
        (emission(DUE), "emits.data.action", "is required"),
    ],
)
def test_what_is_no_event_is_refused_with_the_field_and_the_reason(said: Emission, field: str, reason: str) -> None:
    with pytest.raises(EmissionError) as refused:
        meant_by(said)

    assert refused.value.field == field
    assert reason in refused.value.reason


def test_commands_and_slots_are_told_by_the_short_words_and_all_else_stands_as_it_is() -> None:
    wanted = emission(ITEMS, **WANTED)

    assert meant_by(wanted) == Meant("emit", emits=wanted)
    assert meant_by(emission(COMMAND, dataset="prices", scope={})) == Meant("ingest", Dataset.PRICES)
    sweep = Meant("ingest", Dataset.CONTRACTS, Scope(region_id=7))
    assert meant_by(emission(COMMAND, dataset="contracts", scope={"region_id": 7, "contract_id": None})) == sweep
    assert meant_by(emission(DUE, action="ingest", dataset="contracts", scope={"region_id": 7})) == sweep
    assert meant_by(emission(DUE, action="reconcile")) == Meant("reconcile")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"action": "emit"}, "emits"),
        ({"action": "ingest", "emits": emission(ITEMS, **WANTED)}, "emits"),
        ({"action": "reconcile", "emits": emission(ITEMS, **WANTED)}, "emits"),
        ({"action": "emit", "emits": emission(ITEMS, **WANTED), "dataset": Dataset.PRICES}, "dataset"),
        ({"action": "emit", "emits": emission(ITEMS)}, "emits.data.region_id"),
        ({"action": "reconcile", "kind": "upstream", "min_seconds": 1, "max_seconds": 9}, "kind"),
    ],
)
def test_a_schedule_says_once_what_it_emits(more: dict[str, Any], field: str) -> None:
    definition = Definition(**{"name": "x", "kind": "interval", "every_seconds": 5, **more})

    assert list(faults(definition, now=NOON)) == [field]


def test_a_schedule_that_emits_an_event_makes_sense() -> None:
    said = Definition(name="x", kind="once", at=NOON, action="emit", emits=emission(ITEMS, **WANTED))

    assert faults(said, now=NOON) == {}


@given(st.text(min_size=1), st.text(min_size=1), st.integers(0, 10**12))
def test_the_id_of_what_a_slot_emits_is_the_slot_s_and_no_other_s(one: str, other: str, tick: int) -> None:
    slot = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=tick)

    assert event_id(one, slot) == event_id(one, slot.astimezone(timezone(timedelta(hours=5))))
    assert event_id(one, slot) != event_id(one, slot + timedelta(microseconds=1))
    assert (event_id(one, slot) == event_id(other, slot)) == (one == other)
