from collections import Counter
from collections.abc import Callable

import pytest

from esi_simulator.trouble.storm import USUAL
from support.simulated_esi import SimulatorInProcess

FORGE = 10000002
LIST = f"/contracts/public/{FORGE}"


async def weathered(esi: SimulatorInProcess, requests: int = 150) -> list[str]:
    """What so many requests for pages of a list met, a second apart."""
    met = []
    for number in range(requests):
        try:
            answer = await esi.get(f"{LIST}?page={number % 5 + 1}")
            met.append(str(answer.status))
        except ConnectionError:
            met.append("truncated")
        await esi.control("clock", advance=1)
    return met


async def test_the_same_seed_is_the_same_storm(simulated: Callable[..., SimulatorInProcess]) -> None:
    storms = []
    for seed in (7, 7, 8):
        esi = simulated()
        await esi.control("storm", seed=seed, rate=0.3)
        storms.append(await weathered(esi))

    assert storms[0] == storms[1] != storms[2]


async def test_a_storm_is_made_of_everything(simulated: Callable[..., SimulatorInProcess], slept: list[float]) -> None:
    met: Counter[str] = Counter()
    for seed in range(4):
        esi = simulated(esi_sim_error_window=5)
        await esi.control("storm", seed=seed, rate=0.5, stall=11, downtime=3)
        met += Counter(await weathered(esi))

    assert met.keys() == {"200", "304", "404", "420", "429", "500", "502", "503", "504", "520", "truncated"}
    assert set(slept) >= {11}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("420", 420), ("429", 429), ("500", 500), ("520", 520), ("lying_304", 304), ("past_end", 404), ("downtime", 502)],
)
async def test_a_storm_can_be_of_one_kind(small: SimulatorInProcess, kind: str, status: int) -> None:
    await small.control("storm", seed=1, rate=1, kinds=[kind])

    assert (await small.get(f"{LIST}?page=2")).status == status


async def test_a_storm_shears_lists(small: SimulatorInProcess) -> None:
    before = await small.get(f"{LIST}?page=2")
    await small.control("clock", advance=100)
    await small.control("storm", seed=1, rate=1, kinds=["shear"])
    await small.get(f"{LIST}?page=2")

    assert (await small.get(f"{LIST}?page=2")).headers["last-modified"] != before.headers["last-modified"]


async def test_a_429_lasts_as_long_as_it_says(small: SimulatorInProcess) -> None:
    await small.control("storm", seed=1, rate=1, kinds=["429"], pause=9)
    first = await small.get(LIST)
    await small.control("clock", advance=5)
    second = await small.get(LIST)

    assert [answer.headers["retry-after"] for answer in (first, second)] == ["9", "4"]


async def test_a_storm_ends_when_told(small: SimulatorInProcess) -> None:
    await small.control("storm", seed=1, rate=1, kinds=["500", "truncate"])
    await small.control("storm", stop=True)

    assert set(await weathered(small, 20)) == {"200"}


async def test_a_storm_at_no_rate_is_calm(small: SimulatorInProcess) -> None:
    await small.control("storm", seed=1, rate=0)

    assert set(await weathered(small, 20)) == {"200"}


async def test_what_is_no_weather_is_refused(small: SimulatorInProcess) -> None:
    with pytest.raises(ValueError, match="kinds are of"):
        await small.control("storm", seed=1, kinds=["fish"])
    assert len(USUAL) == 13
