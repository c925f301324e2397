"""What a contract is, told by its items."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingestor.domain.summary import Blueprint, TypeFacts, summarise
from ingestor.esi.models import PublicItem

RIFTER, RIFTER_BLUEPRINT, TRITANIUM, PLEX = 587, 691, 34, 44992
FACTS = {
    RIFTER: TypeFacts("Rifter", 6),
    RIFTER_BLUEPRINT: TypeFacts("Rifter Blueprint", 9),
    TRITANIUM: TypeFacts("Tritanium", 4),
    PLEX: TypeFacts("PLEX", 4),
}


def item(type_id: int, quantity: int = 1, *, offered: bool = True, **fields: Any) -> PublicItem:
    return PublicItem(record_id=1, type_id=type_id, quantity=quantity, is_included=offered, **fields)


def copy(**fields: Any) -> PublicItem:
    return item(RIFTER_BLUEPRINT, is_blueprint_copy=True, **fields)


items = st.builds(
    item, st.sampled_from(sorted(FACTS)), st.integers(1, 10**9), offered=st.booleans(), is_blueprint_copy=st.none()
)
contents = st.lists(items, min_size=1, max_size=20)


@given(contents)
def test_offered_and_requested_are_counted_apart(held: list[PublicItem]) -> None:
    summary = summarise(held, FACTS)

    assert summary.items_offered == sum(entry.is_included for entry in held)
    assert summary.items_requested == len(held) - summary.items_offered


@given(contents)
def test_a_ship_is_in_it_only_if_one_is_offered(held: list[PublicItem]) -> None:
    assert summarise(held, FACTS).contains_ship == any(entry.is_included and entry.type_id == RIFTER for entry in held)


@given(contents)
def test_the_composition_follows_from_what_is_given_and_taken(held: list[PublicItem]) -> None:
    given_types = {entry.type_id for entry in held if entry.is_included}
    asks = any(not entry.is_included for entry in held)

    expected = (
        "want_to_buy" if not given_types else "exchange" if asks else "single" if len(given_types) == 1 else "bundle"
    )
    assert summarise(held, FACTS).composition == expected


@given(contents)
def test_a_label_is_never_empty_and_says_wanted_only_when_nothing_is_offered(held: list[PublicItem]) -> None:
    label = summarise(held, FACTS).label

    assert label.strip()
    assert label.startswith("Wanted: ") == (not any(entry.is_included for entry in held))


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=10))
def test_a_label_counts_the_pieces_of_all_stacks(quantities: list[int]) -> None:
    label = summarise([item(TRITANIUM, quantity) for quantity in quantities], FACTS).label

    total = sum(quantities)
    assert label == ("Tritanium" if total == 1 else f"{total:,} \N{MULTIPLICATION SIGN} Tritanium")


def test_a_ships_blueprint_is_no_ship() -> None:
    assert not summarise([copy(runs=1, material_efficiency=0, time_efficiency=0)], FACTS).contains_ship


def test_a_requested_ship_is_not_offered() -> None:
    summary = summarise([item(TRITANIUM), item(RIFTER, offered=False)], FACTS)

    assert not summary.contains_ship
    assert summary.composition == "exchange"
    assert summary.label == "Tritanium"


def test_a_wanted_ship_is_named_and_still_not_contained() -> None:
    summary = summarise([item(RIFTER, 3, offered=False)], FACTS)

    assert (summary.label, summary.composition, summary.contains_ship) == (
        "Wanted: 3 \N{MULTIPLICATION SIGN} Rifter",
        "want_to_buy",
        False,
    )


def test_a_ship_names_its_bundle_wherever_it_stands() -> None:
    summary = summarise([item(TRITANIUM, 500), item(PLEX, 2), item(RIFTER)], FACTS)

    assert (summary.label, summary.composition) == ("Rifter and 2 more types", "bundle")


def test_a_blueprint_copy_keeps_its_research_and_runs() -> None:
    summary = summarise([copy(runs=10, material_efficiency=5, time_efficiency=20)], FACTS)

    assert summary.blueprint == Blueprint(is_copy=True, material_efficiency=5, time_efficiency=20, runs=10)


def test_an_original_without_any_flag_is_told_by_its_research() -> None:
    original = item(RIFTER_BLUEPRINT, material_efficiency=10, time_efficiency=20)

    assert summarise([original], FACTS).blueprint == Blueprint(
        is_copy=False, material_efficiency=10, time_efficiency=20, runs=None
    )


def test_an_original_that_the_older_form_flags_has_no_runs() -> None:
    original = item(RIFTER_BLUEPRINT, is_blueprint_copy=False, material_efficiency=0, time_efficiency=0, runs=-1)

    assert summarise([original], FACTS).blueprint == Blueprint(
        is_copy=False, material_efficiency=0, time_efficiency=0, runs=None
    )


def test_copies_of_different_research_are_no_one_blueprint() -> None:
    first, second = (copy(runs=runs, material_efficiency=0, time_efficiency=0) for runs in (1, 2))

    assert summarise([first, first], FACTS).blueprint is not None
    assert summarise([first, second], FACTS).blueprint is None


def test_a_plain_item_is_no_blueprint() -> None:
    assert summarise([item(TRITANIUM)], FACTS).blueprint is None
