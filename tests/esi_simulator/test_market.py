"""The pure market, without a process."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esi_simulator.ground import Ground
from esi_simulator.market.market import Market, build_market
from esi_simulator.market.places import HUBS, THE_FORGE, places
from esi_simulator.market.schedule import DAY, EPOCH, LONGEST, Birth, Schedule

START = 1_793_534_400.0  # 2026-11-01T12:00:00Z

instants = st.floats(min_value=EPOCH, max_value=EPOCH + 900 * DAY)
seeds = st.integers(min_value=0, max_value=2**63 - 1)
schedules = st.builds(
    Schedule,
    seed=seeds,
    region_id=st.sampled_from(sorted(HUBS)),
    size=st.integers(min_value=0, max_value=200),
    turn=st.just(2),
    turns=st.just(5),
)


@pytest.fixture(scope="module")
def market(ground: Ground) -> Market:
    sizes = dict.fromkeys(HUBS, 1000)
    return build_market(
        seed=1,
        sizes=sizes,
        wares=ground.wares,
        places=places(1, ground.stations, sizes),
        recording=ground.recording,
        start=START,
    )


@settings(max_examples=20, deadline=None)
@given(schedules, instants)
def test_who_is_alive_is_born_and_not_gone(schedule: Schedule, at: float) -> None:
    alive = list(schedule.alive(at))

    assert all(birth.born <= at < birth.gone <= birth.expires for birth in alive)
    assert [birth.contract_id for birth in alive] == sorted({birth.contract_id for birth in alive})


@settings(max_examples=6, deadline=None)
@given(schedules, instants)
def test_the_sieve_misses_nobody(schedule: Schedule, at: float) -> None:
    if schedule.size == 0:
        return
    first, last = (int((at - EPOCH - before) / schedule.interval) for before in (LONGEST, 0))
    births = (schedule.birth(number) for number in range(first - 3, last + 4))

    assert list(schedule.alive(at)) == [birth for birth in births if birth.born <= at < birth.gone]


@settings(max_examples=20, deadline=None)
@given(schedules, instants)
def test_every_contract_is_found_by_its_id(schedule: Schedule, at: float) -> None:
    for birth in list(schedule.alive(at))[:50]:
        assert schedule.find(birth.contract_id) == birth
        assert schedule.find(birth.contract_id + 1) is None


@settings(max_examples=20, deadline=None)
@given(schedules, instants, st.floats(min_value=0, max_value=5 * DAY))
def test_contracts_never_change_and_never_come_back(schedule: Schedule, at: float, later: float) -> None:
    before, after = (by_id(schedule, instant) for instant in (at, at + later))

    assert all(after[contract_id] == before[contract_id] for contract_id in before.keys() & after.keys())
    assert all(birth.born > at for contract_id, birth in after.items() if contract_id not in before)
    assert all(birth.gone <= at + later for contract_id, birth in before.items() if contract_id not in after)


@settings(max_examples=10, deadline=None)
@given(seeds, instants, st.sampled_from([500, 1000, 3000]))
def test_the_population_is_steady(seed: int, at: float, size: int) -> None:
    schedule = Schedule(seed, THE_FORGE, size, 0, 5)

    assert len(list(schedule.alive(at))) == pytest.approx(size, rel=0.05)
    assert any(birth.hoard for birth in schedule.alive(at))


def test_another_seed_is_another_market() -> None:
    here, there = (by_id(Schedule(seed, THE_FORGE, 1000, 0, 5), START) for seed in (1, 2))

    assert len(here.keys() & there.keys()) < len(here) / 2


def test_a_size_of_nothing_is_an_empty_market() -> None:
    assert not list(Schedule(1, THE_FORGE, 0, 0, 5).alive(START))


def test_the_market_is_composed_as_the_live_one(market: Market) -> None:
    ids = market.ids(THE_FORGE, START)
    contracts = [market.find(contract_id) for contract_id in ids]
    stacks = [one.bundle.stacks if one and one.bundle else () for one in contracts]
    ships = {ware.type_id for ware in market.wares.ships}

    def share(kind: str) -> float:
        return sum(one is not None and one.type == kind for one in contracts) / len(ids)

    copies = sum(any(stack.blueprint and stack.blueprint.runs for stack in held) for held in stacks)
    with_ship = sum(any(stack.ware.type_id in ships and not stack.wanted for stack in held) for held in stacks)
    assert copies / len(ids) == pytest.approx(0.49, abs=0.05)
    assert with_ship / len(ids) == pytest.approx(0.03, abs=0.015)
    assert share("auction") == pytest.approx(0.0125, abs=0.008)
    assert share("courier") == pytest.approx(0.006, abs=0.005)
    assert sum(len(held) > 20 for held in stacks) > 10


def test_prices_and_places_are_plausible(market: Market) -> None:
    rows = [market.row(contract_id) or {} for contract_id in market.ids(THE_FORGE, START)]
    prices = sorted(row["price"] for row in rows)

    assert 5e6 < prices[len(prices) // 2] < 80e6
    assert sum(row["start_location_id"] > 10**12 for row in rows) / len(rows) == pytest.approx(0.03, abs=0.02)
    assert all(len(row["title"]) <= 50 for row in rows)
    assert 0.4 < sum(row["title"] == "" for row in rows) / len(rows) < 0.6


def by_id(schedule: Schedule, at: float) -> dict[int, Birth]:
    return {birth.contract_id: birth for birth in schedule.alive(at)}
