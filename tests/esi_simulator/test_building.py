"""Many simulators in one process, and contracts that tests put on their markets."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from esi_simulator.clock import SimulatedClock
from esi_simulator.ground import Ground
from esi_simulator.main import build
from esi_simulator.settings import SimulatorSettings
from support.simulated_esi import SimulatorInProcess

FORGE = 10000002
LIST = f"/contracts/public/{FORGE}"
WORMHOLE = 11000001


async def ids(esi: SimulatorInProcess, region_id: int = FORGE) -> list[int]:
    first = await esi.get(f"/contracts/public/{region_id}")
    pages = [await esi.get(f"/contracts/public/{region_id}?page={n + 1}") for n in range(int(first.headers["x-pages"]))]
    return [row["contract_id"] for page in pages for row in page.content]


async def test_simulators_side_by_side_share_nothing_that_changes(simulated: Callable[..., SimulatorInProcess]) -> None:
    first, second, other = simulated(), simulated(), simulated(esi_sim_seed=2)
    await first.control("vanish", contract_ids=await ids(first))
    await first.control("errors", spend=100)
    await first.control("clock", advance=5000)

    assert await ids(second) == (await second.truth(FORGE))["live"] != []
    assert await ids(other) != await ids(second)


async def test_time_can_be_made_by_the_test(ground: Ground) -> None:
    ticks = [0.0]
    time = SimulatedClock(1_793_534_400, 2, ticking=lambda: ticks[0])
    esi = SimulatorInProcess(build(SimulatorSettings(esi_sim_forge_contracts=20), ground=ground, time=time))
    before = parsedate_to_datetime((await esi.get(LIST)).headers["date"])
    ticks[0] += 50

    assert (parsedate_to_datetime((await esi.get(LIST)).headers["date"]) - before).total_seconds() == 100


async def test_a_new_contract_can_be_read_from_the_instant_that_is_told(small: SimulatorInProcess) -> None:
    await small.get(LIST)
    await small.control("clock", advance=1)
    before = await ids(small)
    await small.control("clock", advance=100)
    told = await small.control("list", region_id=FORGE, count=2)
    await small.control("clock", advance=told["readable_epoch"] - small.simulator.world.clock.now() - 1)
    not_yet = await ids(small)
    await small.control("clock", advance=1)
    last = await small.get(f"{LIST}?page={len(before) // 10 + 1}")

    new = told["contract_ids"]
    assert told["readable_at"] == "2026-11-01T12:30:01Z", "the last page was made a second after the first"
    assert not set(new) & set(not_yet)
    assert set(new) <= set(await ids(small))
    assert last.status == 200
    assert (await small.get(f"/contracts/public/items/{new[0]}")).status == 200


async def test_a_new_contract_can_be_read_at_once_if_no_page_is_cached(small: SimulatorInProcess) -> None:
    told = await small.control("list", region_id=FORGE)

    assert told["readable_at"] == "2026-11-01T12:00:00Z"
    assert (await ids(small))[-1:] == told["contract_ids"]


async def test_a_new_contract_on_a_page_that_nobody_knows_of_yet_can_be_read_when_the_first_one_counts_it(
    small: SimulatorInProcess,
) -> None:
    await small.control("freeze", frozen=True)
    room = -len(await ids(small)) % 10
    await small.control("list", region_id=FORGE, count=room + 10)
    await small.control("clock", advance=1800)
    pages = (await small.get(LIST)).headers["x-pages"]

    told = await small.control("list", region_id=FORGE)

    assert told["readable_at"] == "2026-11-01T13:00:00Z"
    assert (await small.get(LIST)).headers["x-pages"] == pages
    await small.control("clock", advance=1800)
    assert (await ids(small))[-1:] == told["contract_ids"]


async def test_new_contracts_are_the_newest_and_live_on_in_a_frozen_market(small: SimulatorInProcess) -> None:
    await small.control("freeze", frozen=True)
    old = await ids(small)
    await small.control("clock", advance=7200)
    new = (await small.control("list", region_id=FORGE, count=30))["contract_ids"]

    assert await ids(small) == old + new
    assert new == sorted(set(new))


async def test_births_go_on_beside_new_contracts_without_meeting_their_ids(small: SimulatorInProcess) -> None:
    new = (await small.control("list", region_id=FORGE, count=1000))["contract_ids"]
    before = await ids(small)
    await small.control("clock", advance=1801)
    after = await ids(small)

    assert after == sorted(set(after))
    assert set(after) - set(before), "others are born"
    assert all(small.simulator.world.market.birth(one) is None for one in new)


@pytest.mark.parametrize(
    "wish", [{"region_id": 10000001}, {"region_id": FORGE, "type": "gift"}, {"region_id": FORGE, "kind": "air"}, {}]
)
async def test_a_contract_that_cannot_be_is_refused(small: SimulatorInProcess, wish: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Unusable request"):
        await small.control("list", **wish)


async def test_more_regions_can_have_a_market(simulated: Callable[..., SimulatorInProcess]) -> None:
    esi = simulated(esi_sim_extra_regions="10000001:25,11000001:5")
    derelik, wormhole = await ids(esi, 10000001), await ids(esi, WORMHOLE)
    places = {row["start_location_id"] for row in (await esi.get(f"/contracts/public/{WORMHOLE}")).content}

    assert 18 <= len(derelik) <= 32
    assert 1 <= len(wormhole) <= 10
    assert all(place > 10**12 for place in places)


@pytest.mark.parametrize("wrong", ["10000001", "10000001:x", "Derelik:5"])
def test_a_wrong_region_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        SimulatorSettings(esi_sim_extra_regions=wrong)


async def test_the_truth_of_another_instant_touches_no_cache(small: SimulatorInProcess) -> None:
    truth = await small.truth(FORGE, "rows", "items", at="2026-11-01T13:00:00Z")
    await small.control("clock", advance=60)

    assert [row["contract_id"] for row in truth["rows"]] == truth["live"]
    assert truth["items"].keys() == {str(contract_id) for contract_id in truth["live"]}
    assert "listed" not in truth
    assert (await small.get(LIST)).headers["last-modified"] == "Sun, 01 Nov 2026 12:01:00 GMT"


async def test_the_truth_of_the_past_has_what_vanished_since(small: SimulatorInProcess) -> None:
    before = await ids(small)
    await small.control("clock", advance=60)
    await small.control("vanish", contract_ids=before[:1])

    assert before[0] in (await small.truth(FORGE, at="2026-11-01T12:00:59Z"))["live"]
    assert before[0] not in (await small.truth(FORGE, at="2026-11-01T12:01:00Z"))["live"]


async def test_the_truth_knows_how_all_ended_that_ever_stood(small: SimulatorInProcess) -> None:
    before = (await small.truth(FORGE, "gone"))["live"]
    await small.control("clock", advance=86_400)
    truth = await small.truth(FORGE, "gone")

    assert set(before) <= set(truth["live"]) | {int(contract_id) for contract_id in truth["gone"]}
    assert {"accepted", "deleted"} <= {end["outcome"] for end in truth["gone"].values()}
    for contract_id, end in list(truth["gone"].items())[:90]:
        status = (await small.get(f"/contracts/public/items/{contract_id}")).status
        assert status == (403 if end["outcome"] == "accepted" else 404)


async def test_what_is_counted_on_is_what_a_whole_count_finds(simulated: Callable[..., SimulatorInProcess]) -> None:
    stepping, jumping = simulated(), simulated()
    for _ in range(50):
        await stepping.control("clock", advance=3600)
        await ids(stepping)
    await jumping.control("clock", advance=50 * 3600)

    assert await ids(stepping) == await ids(jumping)


async def test_warming_changes_no_answer(simulated: Callable[..., SimulatorInProcess]) -> None:
    cold, warm = simulated(), simulated()
    await warm.control("warm")
    contract_id = (await ids(cold))[0]

    for path in (LIST, f"/contracts/public/items/{contract_id}"):
        assert (await warm.get(path)).body == (await cold.get(path)).body
    assert await ids(cold) == await ids(warm)
