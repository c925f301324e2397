from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import Dataset, Scope
from common.slots import (
    MARKET_ORDER,
    Budget,
    Cost,
    Definition,
    Demand,
    Emission,
    Known,
    Load,
    Overdraft,
    asks_upstream,
    balances,
    delay,
    densest,
    slots_of,
)
from common.slots.costs import ESTIMATES, ROUTES

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BUDGETS = [MARKET_ORDER]
ORDERS = "/markets/*/orders"


def every(seconds: int, **more: Any) -> Definition:
    return Definition(name="x", kind="interval", every_seconds=seconds, dataset=Dataset.PRICES, **more)


def cron(expression: str, **more: Any) -> Definition:
    return Definition(name="x", kind="cron", cron=expression, zone="UTC", dataset=Dataset.PRICES, **more)


def demand(schedule_id: str, definition: Definition, requests: float = 400, route: str = ORDERS, **more: Any) -> Demand:
    return Demand(schedule_id, definition, [Cost(route, requests)], **more)


def overdrafts(
    budgets: Sequence[Budget],
    candidate: Demand,
    others: Sequence[Demand],
    *,
    before: Demand | None = None,
    now: datetime,
) -> list[Overdraft]:
    load = Load(budgets, now=now)
    for each in others:
        load.tell(each.schedule_id, each)
        load.put(each.schedule_id, each.schedule_id)
    return load.overdrafts(candidate, before=before)


def most_due(definition: Definition, seconds: int, *, over: timedelta) -> int:
    """By looking at every window that begins with a slot."""
    jitter = timedelta(seconds=definition.jitter_seconds)
    slots = slots_of(definition).between(NOW, NOW + over, at_most=100_000)
    due = sorted(slot + delay("s", slot, most=jitter) for slot in slots)
    ends = (bisect_left(due, begin + seconds * SECOND) for begin in due)
    return max((end - first for first, end in enumerate(ends)), default=0)


@given(st.integers(1, 4_000), st.integers(0, 4_000), st.sampled_from([60, 900]), st.integers(-500, 500))
def test_no_window_holds_more_slots_of_an_interval_than_are_planned_for(
    seconds: int, jitter: int, window: int, offset: int
) -> None:
    definition = every(seconds, offset_seconds=offset, jitter_seconds=min(jitter, seconds - 1))

    planned = densest(definition, window, now=NOW)

    seen = most_due(definition, window, over=timedelta(seconds=min(4 * (seconds + window), 2_000 + seconds)))
    assert seen <= planned
    if not definition.jitter_seconds and seconds * 3 <= 2_000:
        assert seen == planned


@pytest.mark.parametrize(
    ("expression", "window", "slots"),
    [
        ("* * * * *", 900, 15),
        ("* * * * * *", 900, 900),
        ("*/5 * * * * *", 60, 12),
        ("0 3 * * *", 900, 1),
        ("0-9 3 * * *", 900, 10),
        ("0,20,40 * * * *", 900, 1),
        ("* * * * * *", 86_400, 86_400),
        ("0 0 29 2 *", 900, 1),
    ],
)
def test_of_a_cron_the_densest_window_counts(expression: str, window: int, slots: int) -> None:
    assert densest(cron(expression), window, now=NOW) == slots


def test_what_follows_upstream_comes_as_often_as_upstream_s_answer_changes_within_its_bounds() -> None:
    upstream = Definition(name="x", kind="upstream", every_seconds=1800, min_seconds=30, max_seconds=3600)

    assert densest(upstream, 900, now=NOW) == 1
    assert densest(upstream, 900, lifetime_seconds=60, now=NOW) == 15
    assert densest(upstream, 900, lifetime_seconds=1, now=NOW) == 30
    assert densest(upstream, 86_400, lifetime_seconds=10**9, now=NOW) == 24
    assert densest(Definition(name="x", kind="once", at=NOW), 900, now=NOW) == 1


def test_what_does_not_fit_is_told_with_the_arithmetic() -> None:
    candidate = demand("mine", every(10))
    others = [
        demand("small", every(900), 1),
        demand("large", every(300)),
        demand("sweeps", every(60), 5, "/contracts/*"),
    ]

    (found,) = overdrafts(BUDGETS, candidate, others, now=NOW)

    assert (found.balance.budget.group, found.balance.budget.window_seconds) == ("market-order", 900)
    assert found.balance.budget.allowed == 10_800
    assert (found.share.slots, found.share.requests, found.share.wanted) == (90, 36_000, 72_000)
    assert [(each.schedule_id, each.wanted) for each in found.others] == [("large", 2_400), ("small", 2)]
    assert found.balance.wanted == 72_000 + 2_400 + 2


def test_who_asks_for_no_more_than_before_is_not_to_blame() -> None:
    others = [demand("greedy", every(1))]
    slower, as_before, faster = demand("mine", every(600)), demand("mine", every(300)), demand("mine", every(60))

    assert overdrafts(BUDGETS, slower, others, before=as_before, now=NOW) == []
    assert overdrafts(BUDGETS, as_before, others, before=as_before, now=NOW) == []
    assert len(overdrafts(BUDGETS, faster, others, before=as_before, now=NOW)) == 1
    assert len(overdrafts(BUDGETS, slower, others, now=NOW)) == 1
    assert overdrafts(BUDGETS, demand("free", every(1), 0), others, now=NOW) == []
    assert overdrafts(BUDGETS, demand("elsewhere", every(900), 10, "/universe/names"), others, now=NOW) == []


def test_a_bucket_that_upstream_tells_of_counts_its_routes_from_then_on() -> None:
    told = Budget("contract", 900, 600, routes=frozenset({"/contracts/public/*"}))
    sweep = demand("sweep", every(1800), 34, "/contracts/public/*", alike=9)

    before = {each.budget.group: each.wanted for each in balances(BUDGETS, [sweep], now=NOW)}
    after = {each.budget.group: each for each in balances([*BUDGETS, told], [sweep], now=NOW)}

    assert before == {"market-order": 0, "ungrouped": 612, "errors": 0}
    assert (after["contract"].wanted, after["contract"].fits, after["ungrouped"].wanted) == (612, False, 0)


COSTS = st.lists(
    st.builds(
        Cost,
        st.sampled_from([ORDERS, "/contracts/public/*", "/other"]),
        st.floats(0, 500),
        st.floats(0, 5),
        st.booleans(),
    ),
    max_size=3,
)
DEMANDS = st.lists(
    st.tuples(st.integers(1, 5_000), COSTS, st.integers(1, 4)).map(
        lambda drawn: Demand("s", every(drawn[0]), drawn[1], alike=drawn[2])
    ),
    max_size=5,
)


@given(DEMANDS, DEMANDS)
def test_demands_add_up_and_each_budget_counts_what_is_its_own(some: list[Demand], more: list[Demand]) -> None:
    def wanted(demands: Sequence[Demand]) -> dict[str, int]:
        return {each.budget.group: each.wanted for each in balances(BUDGETS, demands, now=NOW)}

    one, other, both = wanted(some), wanted(more), wanted([*some, *more])

    assert both == {group: one[group] + other[group] for group in both}
    routes = {cost.route for each in chain(some, more) for cost in each.costs}
    assert both["market-order"] == 0 or ORDERS in routes
    assert both["ungrouped"] == 0 or routes - {ORDERS}


def test_alike_schedules_cost_what_as_many_single_ones_do() -> None:
    (together, *_) = balances(BUDGETS, [demand("s", every(60), 7, alike=3)], now=NOW)
    (each, *_) = balances(BUDGETS, [demand(name, every(60), 7) for name in "abc"], now=NOW)

    assert together.wanted == each.wanted == 3 * 15 * 14


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([None, 1, 7, 60, 900])), max_size=12))
def test_a_load_that_was_changed_finds_what_one_finds_that_is_made_anew(changes: list[tuple[str, int | None]]) -> None:
    load = Load(BUDGETS, now=NOW)
    standing: dict[str, int] = {}
    for schedule_id, seconds in changes:
        standing.pop(schedule_id, None)
        load.drop(schedule_id)
        if seconds is not None:
            standing[schedule_id] = seconds
            load.tell(seconds, demand("", every(seconds), 50))
            load.put(schedule_id, seconds)
        candidate = demand("a", every(20), 50)
        beside = [demand(each, every(every_), 50) for each, every_ in standing.items() if each != "a"]
        (orders, *_) = balances(BUDGETS, [*beside, candidate], now=NOW)

        found = load.overdrafts(candidate)

        assert [each.balance.wanted for each in found] == ([] if orders.fits else [orders.wanted])
        assert all(each.share.wanted == 45 * 100 for each in found)


# What runs cost


def sweep(region_id: int) -> Definition:
    scope = Scope(region_id=region_id)
    return Definition(name="x", kind="interval", every_seconds=60, dataset=Dataset.CONTRACTS, scope=scope)


def test_what_was_measured_beats_what_is_known_and_that_an_estimate() -> None:
    known = Known(measured={(Dataset.CONTRACTS, Scope(region_id=1)): 2.5}, pages={1: 9, 2: 7})

    assert [known.costs(sweep(region))[0].requests for region in (1, 2, 3)] == [2.5, 7, 34]
    assert Known(auctions=12).costs(every(60))[0].requests == 400
    assert Known(auctions=12).costs(Definition(name="x", kind="once", dataset=Dataset.BIDS))[0].requests == 12


def test_every_dataset_has_a_route_and_an_estimate_or_asks_for_nothing() -> None:
    assert set(Dataset) - set(ROUTES) == {Dataset.HISTORY}
    assert set(ROUTES) == {*ESTIMATES, Dataset.CONTRACTS}
    for dataset in Dataset:
        definition = Definition(name="x", kind="once", dataset=dataset)
        assert asks_upstream(definition) == bool(Known().costs(definition)) == (dataset is not Dataset.HISTORY)
    assert asks_upstream(Definition(name="x", kind="once", action="reconcile"))


def test_a_probe_of_what_is_gone_is_an_error_and_costs_as_much() -> None:
    probing = Demand("s", every(1), Known().costs(Definition(name="x", kind="once", dataset=Dataset.OUTCOMES)))

    by_group = {each.budget.group: each for each in balances(BUDGETS, [probing], now=NOW)}

    assert (by_group["errors"].wanted, by_group["errors"].budget.allowed, by_group["errors"].fits) == (1200, 70, False)
    assert by_group["ungrouped"].wanted == 900 * 20 * 5


def test_what_the_ingestor_finds_to_do_costs_the_same_however_often_it_looks() -> None:
    known = Known(by_itself={Dataset.BIDS: 2.0, Dataset.HISTORY: 1.0})

    for seconds in (1, 600):
        looking = Definition(name="x", kind="interval", every_seconds=seconds, action="reconcile")
        by_group = {
            each.budget.group: each for each in balances([], [Demand("r", looking, known.costs(looking))], now=NOW)
        }
        assert by_group["ungrouped"].wanted == 2 * 2 * 900


def test_an_event_that_has_items_read_costs_a_request_for_each_contract_and_others_nothing() -> None:
    wanted = Emission(type="freeport.ingest.items.wanted.v1", data={"region_id": 1, "contract_ids": list(range(1, 51))})
    bid = {"contract_id": 1, "region_id": 1, "bid_id": 1, "amount": 1, "date_bid": "2026-01-01T00:00:00Z"}

    def cost(emits: Emission) -> Sequence[Cost]:
        return Known().costs(Definition(name="x", kind="once", at=NOW, action="emit", emits=emits))

    assert [(each.route, each.requests) for each in cost(wanted)] == [("/contracts/public/items/*", 50)]
    assert cost(Emission(type="freeport.contract.bid.v1", data=bid)) == []
