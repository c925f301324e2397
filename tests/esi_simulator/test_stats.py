"""What a client is held to."""

import asyncio
from typing import Any

import pytest

from esi_simulator.ground import Ground
from esi_simulator.main import build
from esi_simulator.settings import SimulatorSettings
from support.simulated_esi import SimulatorInProcess

FORGE = 10000002
LIST = f"/contracts/public/{FORGE}"


async def stats(esi: SimulatorInProcess) -> Any:
    return (await esi.get("/_simulator/stats")).content


async def test_requests_between_a_420_and_its_reset_are_counted_with_their_lateness(small: SimulatorInProcess) -> None:
    await small.control("errors", spend=100)
    for _ in range(3):
        await small.get(LIST)
    await small.control("clock", advance=60)
    await small.get(LIST)
    counted = await stats(small)

    assert counted["while_limited"] == {"420": 2, "429": 0}
    assert [one["route"] for one in counted["while_limited_offsets"]] == ["contracts", "contracts"]
    assert all(0 < one["seconds"] < 60 for one in counted["while_limited_offsets"])


async def test_requests_between_a_429_and_its_end_are_counted_for_its_routes_alone(small: SimulatorInProcess) -> None:
    await small.control("faults", route="items", status=429, headers={"Retry-After": 10})
    await small.get("/contracts/public/items/1")
    await small.get(LIST)
    await small.get("/contracts/public/items/1")
    await small.control("clock", advance=10)
    await small.get("/contracts/public/items/1")

    assert (await stats(small))["while_limited"] == {"420": 0, "429": 1}


@pytest.mark.parametrize(
    ("headers", "lacking"),
    [
        ({}, {"user_agent": 1, "compatibility_date": 1, "gzip": 1}),
        (
            {"User-Agent": "me", "X-Compatibility-Date": "2026-01-01", "Accept-Encoding": "gzip, br"},
            {"user_agent": 0, "compatibility_date": 0, "gzip": 0},
        ),
    ],
)
async def test_what_a_request_lacks_is_counted(
    small: SimulatorInProcess, headers: dict[str, str], lacking: dict[str, int]
) -> None:
    await small.get(LIST, headers)

    assert (await stats(small))["lacking"] == lacking


async def test_conditional_requests_and_what_they_spared_are_counted(small: SimulatorInProcess) -> None:
    etag = (await small.get(LIST)).headers["etag"]
    await small.get(LIST, {"If-None-Match": etag})
    await small.get(LIST, {"If-None-Match": '"other"'})
    counted = await stats(small)

    assert counted["conditional"] == {"contracts": 2}
    assert counted["not_modified"] == {"contracts": 1}


async def test_what_is_asked_again_before_it_expires_is_counted(small: SimulatorInProcess) -> None:
    for advance in (0, 1799, 1, 0):
        await small.control("clock", advance=advance)
        await small.get(LIST)
    await small.get(f"{LIST}?page=2")

    assert (await stats(small))["before_expiry"] == {"contracts": 2}


async def test_requests_under_way_at_once_are_counted(ground: Ground) -> None:
    settings = SimulatorSettings(esi_sim_latency=0.001, esi_sim_forge_contracts=1, esi_sim_hub_contracts=0)
    esi = SimulatorInProcess(build(settings, ground=ground))
    await asyncio.gather(*(esi.get("/status") for _ in range(7)))

    assert (await stats(esi))["underway_at_most"] == 7


async def test_counts_can_begin_anew(small: SimulatorInProcess) -> None:
    await small.get(LIST)
    await small.get(LIST)
    counted = await small.control("stats", reset=True)

    assert counted["total"] == 0
    assert counted["before_expiry"] == {}
    assert counted["requests"] == {}


async def test_control_routes_are_not_counted(small: SimulatorInProcess) -> None:
    await small.truth(FORGE)

    assert (await stats(small))["total"] == 0
