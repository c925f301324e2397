from dataclasses import replace
from typing import Any

from cli.market import MarketState
from cli.summary import as_table


def test_a_table_aligns_names_left_and_numbers_right() -> None:
    rows: list[dict[str, Any]] = [{"name": "Rifter", "price": 1500000.0}, {"name": None, "price": 2.5}]

    assert as_table(rows, {"name": "what", "price": "ISK"}) == [
        "what             ISK",
        "Rifter  1,500,000.00",
        "-               2.50",
    ]


def test_the_market_is_loaded_when_all_regions_and_all_items_are() -> None:
    stats = {
        "contracts": {"live": 8000},
        "items": {"stored": 7000, "wanted": 0},
        "regions": [{"as_of": "2026-11-22T05:00:00Z", "complete": True}],
    }

    assert MarketState.from_stats(stats).is_loaded
    assert not MarketState.from_stats({**stats, "items": {"stored": 6999, "wanted": 1}}).is_loaded
    assert not MarketState.from_stats({**stats, "regions": [{"as_of": None, "complete": False}]}).is_loaded
    assert not MarketState.from_stats({}).is_loaded


def test_a_few_stragglers_are_told_from_a_market_that_still_loads() -> None:
    state = MarketState(regions=5, swept=5, contracts=8000, items_stored=7900, items_wanted=79)

    assert state.is_all_but_loaded
    assert not state.is_loaded
    assert not replace(state, items_wanted=80).is_all_but_loaded
    assert not replace(state, swept=4).is_all_but_loaded
