"""What may be concluded from a region's pages."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestor.domain.listing import Page, assemble, doubt, shear, storable
from support.ingestion import NOON, REGION, contract

PAGE = 5
FRESH = timedelta(minutes=20)


def paged(ids: Sequence[int], size: int = PAGE) -> list[Page]:
    """Ascending ids as one generation's pages."""
    parts = [ids[start : start + size] for start in range(0, len(ids), size)] or [[]]
    return [Page(NOON, FRESH, len(parts), tuple(contract(number) for number in part)) for part in parts]


contract_ids = st.lists(st.integers(1, 2**63 - 1), unique=True, max_size=60).map(sorted)
several_pages = st.lists(st.integers(1, 10_000), unique=True, min_size=PAGE + 1, max_size=60).map(sorted)


@given(contract_ids)
def test_an_untouched_generation_is_whole_and_ascending(ids: list[int]) -> None:
    listing = assemble(REGION, paged(ids))

    assert [row.contract_id for row in listing.rows] == ids
    assert listing.fetched == len(ids)
    assert listing.flaw == (None if ids else "the list is empty")


@given(several_pages, st.integers(0, 59))
def test_a_contract_on_two_pages_is_kept_once_and_absence_means_nothing(ids: list[int], place: int) -> None:
    pages = paged(ids)
    repeated = pages[0].rows[place % len(pages[0].rows)]
    pages[-1] = replace(pages[-1], rows=(repeated, *pages[-1].rows[1:]))

    listing = assemble(REGION, pages)

    numbers = [row.contract_id for row in listing.rows]
    assert numbers == sorted(set(numbers))
    assert listing.flaw == "the pages overlap"


@given(several_pages, st.data())
def test_pages_of_two_generations_are_sheared_wherever_they_stand(ids: list[int], data: st.DataObject) -> None:
    pages = paged(ids)
    place = data.draw(st.integers(0, len(pages) - 1))
    apart = timedelta(seconds=data.draw(st.integers(3, 3600) | st.integers(-3600, -3)))
    pages[place] = replace(pages[place], generation=NOON + apart)

    assert shear(pages) == "the pages are of different generations"


@given(several_pages, st.data())
def test_pages_built_a_second_apart_are_one_generation_and_the_older_second_names_it(
    ids: list[int], data: st.DataObject
) -> None:
    pages = paged(ids)
    place = data.draw(st.integers(0, len(pages) - 1))
    pages[place] = replace(pages[place], generation=NOON - timedelta(seconds=1))

    listing = assemble(REGION, pages)

    assert listing.flaw is None
    assert listing.generation == NOON - timedelta(seconds=1)


@given(several_pages, st.data())
def test_a_changed_number_of_pages_is_sheared(ids: list[int], data: st.DataObject) -> None:
    pages = paged(ids)
    place = data.draw(st.integers(0, len(pages) - 1))
    pages[place] = replace(pages[place], pages=len(pages) + data.draw(st.sampled_from([-1, 1])))

    assert shear(pages) == "the number of pages changed while they were read"


@given(st.integers(2, 6), st.data())
def test_a_page_that_lost_a_row_is_sheared(count: int, data: st.DataObject) -> None:
    pages = paged(range(1, count * PAGE + 1))
    place = data.draw(st.integers(0, count - 2))
    pages[place] = replace(pages[place], rows=pages[place].rows[1:])

    assert shear(pages) == "a page is short"


def test_a_last_page_that_emptied_while_the_first_was_read_is_sheared() -> None:
    first, last = paged(range(1, PAGE + 2))

    assert shear([first, replace(last, rows=())]) == "the last page is empty"


@given(several_pages, st.data())
def test_a_row_that_could_not_be_read_is_a_doubt_and_is_counted(ids: list[int], data: st.DataObject) -> None:
    pages = paged(ids)
    place = data.draw(st.integers(0, len(pages) - 1))
    pages[place] = replace(pages[place], rows=pages[place].rows[1:], rejected=1)

    listing = assemble(REGION, pages)

    assert listing.flaw == "some rows could not be read"
    assert (listing.rejected, listing.fetched) == (1, len(ids))


def test_an_empty_list_is_a_doubt() -> None:
    assert shear(paged([])) is None
    assert doubt(paged([])) == "the list is empty"


def test_a_list_is_fresh_until_the_last_page_of_its_generation_expires() -> None:
    first, last = paged(range(1, PAGE + 2))

    listing = assemble(
        REGION,
        [replace(first, read_at=100.0), replace(last, fresh_for=FRESH + timedelta(seconds=1), read_at=100.25)],
    )

    assert listing.still_fresh_for(101.25) == FRESH
    assert listing.still_fresh_for(10_000.0) == timedelta()


def test_a_list_of_two_generations_is_as_fresh_as_its_oldest_page() -> None:
    first, last = paged(range(1, PAGE + 2))

    listing = assemble(REGION, [first, replace(last, fresh_for=timedelta(minutes=1))])

    assert listing.fresh_for == timedelta(minutes=1)


@pytest.mark.parametrize("field", ["price", "buyout", "reward", "collateral"])
@pytest.mark.parametrize(
    "amount", ["NaN", "sNaN", "Infinity", "-Infinity", "1e18", "-1e18", "999999999999999999.999", "1e400", "1e-9999"]
)
def test_an_amount_that_no_column_holds_is_rejected(field: str, amount: str) -> None:
    assert not storable(contract(1, **{field: Decimal(amount)}))


@given(st.decimals(-(10**17), 10**17, allow_nan=False, allow_infinity=False, places=12) | st.none())
def test_every_amount_of_the_game_is_storable(amount: Decimal | None) -> None:
    assert storable(contract(1, price=amount, buyout=amount, reward=amount, collateral=amount))


@st.composite
def moving_markets(draw: st.DrawFn) -> tuple[list[int], list[Page], list[set[int]]]:
    """A market that changes while its pages are built, each at a moment of its own, all within one generation."""
    market = sorted(draw(st.sets(st.integers(1, 200), min_size=PAGE + 1, max_size=40)))
    alive = [set(market)]
    for _ in range(draw(st.integers(0, 6))):
        leaving = draw(st.sets(st.sampled_from(market), max_size=3))
        coming = set(range(201 + 10 * len(alive), 201 + 10 * len(alive) + draw(st.integers(0, 2))))
        alive.append((alive[-1] - leaving) | coming)
    first = sorted(alive[draw(st.integers(0, len(alive) - 1))])
    pages = []
    for number in range(-(-len(first) // PAGE) or 1):
        standing = sorted(alive[draw(st.integers(0, len(alive) - 1))])
        part = standing[number * PAGE : (number + 1) * PAGE]
        count = -(-len(standing) // PAGE) or 1
        pages.append(Page(NOON, FRESH, count, tuple(contract(one) for one in part)))
    return market, pages, alive


@given(moving_markets())
def test_what_stood_all_the_time_is_never_taken_for_gone(found: tuple[list[int], list[Page], list[set[int]]]) -> None:
    market, pages, alive = found
    listing = assemble(REGION, pages, base=NOON, stood=frozenset(market))
    always = set.intersection(*alive)

    taken_for_gone = {number for number in listing.gone if not listing.may_hide(number)}

    if listing.flaw is None:
        assert not taken_for_gone & always


@given(several_pages, st.data())
def test_only_what_stood_between_two_pages_may_hide_there(ids: list[int], data: st.DataObject) -> None:
    pages = paged(ids)
    listing = assemble(REGION, pages)
    number = data.draw(st.integers(0, 10_001))

    between = any(left.contract_ids[-1] < number < right.contract_ids[0] for left, right in pairwise(pages))

    assert listing.may_hide(number) == between
