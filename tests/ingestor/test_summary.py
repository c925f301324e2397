"""What a contract is, told by its items."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestor.domain.summary import Blueprint, Most, TypeFacts, summarise
from ingestor.esi.models import PublicItem

RIFTER, RIFTER_BLUEPRINT, TRITANIUM, PLEX = 587, 691, 34, 44992
FACTS = {
    RIFTER: TypeFacts("Rifter", 6, volume=27_289.0, packaged_volume=2_500.0),
    RIFTER_BLUEPRINT: TypeFacts("Rifter Blueprint", 9, volume=0.01),
    TRITANIUM: TypeFacts("Tritanium", 4, volume=0.01, packaged_volume=0.01),
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


def test_the_most_of_all_that_is_offered_is_known_each_by_itself() -> None:
    one, other = copy(material_efficiency=10, time_efficiency=0, runs=1), copy(material_efficiency=0, runs=300)

    summary = summarise([one, other, item(RIFTER), item(RIFTER_BLUEPRINT, offered=False, runs=1000)], FACTS)

    assert (summary.offers_copy, summary.most) == (True, Most(300, 10, 0))
    assert (summarise([item(RIFTER)], FACTS).offers_copy, summarise([item(RIFTER)], FACTS).most) == (
        False,
        Most(None, None, None),
    )


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=10))
def test_all_pieces_of_one_article_are_counted(quantities: list[int]) -> None:
    original = item(RIFTER_BLUEPRINT, material_efficiency=10)

    assert summarise([item(TRITANIUM, quantity) for quantity in quantities], FACTS).units == sum(quantities)
    assert summarise([original, item(RIFTER_BLUEPRINT)], FACTS).units == 2
    assert summarise([copy(runs=5), copy(runs=5)], FACTS).units == 2


@pytest.mark.parametrize(
    "held",
    [
        [copy(runs=5), copy(runs=1)],
        [copy(runs=5), copy(runs=5, material_efficiency=0)],
        [copy(runs=5), copy(runs=5, time_efficiency=0)],
        [copy(runs=5), item(RIFTER_BLUEPRINT)],
        [item(TRITANIUM), item(TRITANIUM, 0)],
        [item(TRITANIUM, -1)],
    ],
)
def test_several_articles_of_a_type_and_stacks_of_nothing_have_no_pieces(held: list[PublicItem]) -> None:
    assert summarise(held, FACTS).units == 0


@pytest.mark.parametrize(
    "held",
    [
        [item(TRITANIUM), item(RIFTER)],
        [item(TRITANIUM), item(RIFTER, offered=False)],
        [item(RIFTER, offered=False)],
        [copy(runs=-1)],
        [item(TRITANIUM, 2**62), item(TRITANIUM, 2**62)],
    ],
)
def test_pieces_of_several_types_are_not_counted_nor_what_a_contract_cannot_tell(held: list[PublicItem]) -> None:
    assert summarise(held, FACTS).units is None


def test_copies_of_different_research_are_no_one_blueprint() -> None:
    first, second = (copy(runs=runs, material_efficiency=0, time_efficiency=0) for runs in (1, 2))

    assert summarise([first, first], FACTS).blueprint is not None
    assert summarise([first, second], FACTS).blueprint is None


def test_a_plain_item_is_no_blueprint() -> None:
    assert summarise([item(TRITANIUM)], FACTS).blueprint is None


@pytest.mark.parametrize(
    "form", [{}, {"is_blueprint_copy": False}, {"runs": -1}, {"is_blueprint_copy": False, "runs": -1}]
)
def test_every_form_of_an_original_is_an_original(form: dict[str, Any]) -> None:
    summary = summarise([item(RIFTER_BLUEPRINT, **form)], FACTS)

    assert summary.blueprint == Blueprint(is_copy=False, material_efficiency=None, time_efficiency=None, runs=None)


def test_a_blueprint_with_runs_is_a_copy_even_if_no_flag_says_so() -> None:
    summary = summarise([item(RIFTER_BLUEPRINT, runs=3, material_efficiency=2, time_efficiency=4)], FACTS)

    assert summary.blueprint == Blueprint(is_copy=True, material_efficiency=2, time_efficiency=4, runs=3)


@settings(max_examples=40, deadline=None)
@given(contents)
def test_a_contract_shows_one_blueprint_only_if_it_offers_nothing_else(held: list[PublicItem]) -> None:
    offered = {entry.type_id for entry in held if entry.is_included}

    assert (summarise(held, FACTS).blueprint is not None) == (offered == {RIFTER_BLUEPRINT})


@settings(max_examples=40, deadline=None)
@given(contents)
def test_the_packaged_volume_is_that_of_the_offer_or_unknown(held: list[PublicItem]) -> None:
    each = {RIFTER: 2_500.0, RIFTER_BLUEPRINT: 0.01, TRITANIUM: 0.01}
    offered = [entry for entry in held if entry.is_included]

    volume = summarise(held, FACTS).packaged_volume

    if not offered or any(entry.type_id == PLEX for entry in offered):
        assert volume is None
    else:
        assert volume == pytest.approx(sum(each[entry.type_id] * entry.quantity for entry in offered), abs=1e-6)


def test_a_quantity_that_is_none_leaves_the_volume_unknown() -> None:
    assert summarise([item(TRITANIUM, -1)], FACTS).packaged_volume is None


def test_what_a_mutaplasmid_makes_is_dynamic_and_the_mutaplasmid_is_not() -> None:
    assert TypeFacts("Abyssal Stasis Webifier", 7, group_id=65, meta_group_id=15).is_dynamic
    assert not TypeFacts("Gravid Stasis Webifier Mutaplasmid", 17, group_id=1964, meta_group_id=15).is_dynamic
    assert not TypeFacts("Stasis Webifier II", 7, group_id=65, meta_group_id=2).is_dynamic
