from collections.abc import Callable

import pytest

from support.simulated_esi import SimulatorInProcess

FORGE = 10000002
LIST = f"/contracts/public/{FORGE}"
BODIES = {
    502: "The datasource tranquility is temporarily unavailable",
    503: "The datasource tranquility is temporarily unavailable",
    504: "Timeout contacting tranquility",
}


async def test_the_cluster_is_down_from_eleven_for_as_long_as_told(
    simulated: Callable[..., SimulatorInProcess],
) -> None:
    esi = simulated(esi_sim_downtime=True)
    await esi.control("clock", set="2026-11-02T10:59:59Z")
    before = await esi.get(LIST)
    await esi.control("clock", advance=1)
    down = [await esi.get(path) for path in (LIST, "/status", "/universe/regions", LIST)]
    await esi.control("clock", advance=299)
    still = await esi.get(LIST)
    await esi.control("clock", advance=1)

    assert before.status == 200
    assert {answer.status for answer in down} == {502, 503, 504}
    assert all(answer.content == {"error": BODIES[answer.status]} for answer in down)
    assert still.status in BODIES
    assert (await esi.get(LIST)).status == 200
    assert (await esi.get("/status")).content["start_time"] == "2026-11-02T11:03:00Z"


async def test_there_is_no_downtime_unless_asked_for(small: SimulatorInProcess) -> None:
    await small.control("clock", set="2026-11-02T11:01:00Z")

    assert (await small.get(LIST)).status == 200


async def test_the_market_stands_still_meanwhile_and_catches_up(simulated: Callable[..., SimulatorInProcess]) -> None:
    esi = simulated(esi_sim_downtime=True, esi_sim_downtime_length=1200)
    instants = ("2026-11-02T11:00:00Z", "2026-11-02T11:19:59Z", "2026-11-02T11:20:00Z")
    first, last, after = [(await esi.truth(FORGE, at=instant))["live"] for instant in instants]

    assert first == last != after


async def test_routers_may_restart_in_a_burst_of_404_and_the_cluster_for_ccp_alone(small: SimulatorInProcess) -> None:
    await small.control("downtime", daily=True, not_found=30, vip=60)
    await small.control("clock", set="2026-11-02T11:05:29Z")
    burst = await small.get("/universe/regions")
    await small.control("clock", advance=1)
    vip = await small.get("/status")
    await small.control("clock", advance=60)

    assert (burst.status, burst.content) == (404, {"error": "Not found"})
    assert (vip.status, vip.content["vip"]) == (200, True)
    assert (await small.get("/status")).content["vip"] is False


async def test_static_answers_change_their_etag_and_expiry_at_the_end(small: SimulatorInProcess) -> None:
    """esi-issues #364, #1104."""
    await small.control("clock", set="2026-11-02T11:04:59Z")
    before = await small.get("/universe/types/587")
    await small.control("clock", advance=1)
    after = await small.get("/universe/types/587", {"If-None-Match": before.headers["etag"]})

    assert before.headers["expires"] == "Mon, 02 Nov 2026 11:05:00 GMT"
    assert after.headers["expires"] == "Tue, 03 Nov 2026 11:05:00 GMT"
    assert (after.status, after.body) == (200, before.body)
    assert after.headers["etag"] != before.headers["etag"]


async def test_a_downtime_can_begin_now(small: SimulatorInProcess) -> None:
    await small.control("downtime", now=10)
    down = await small.get(LIST)
    await small.control("clock", advance=10)

    assert down.status in BODIES
    assert (await small.get(LIST)).status == 200


async def test_time_only_goes_on(small: SimulatorInProcess) -> None:
    with pytest.raises(ValueError, match="time only goes on"):
        await small.control("clock", set="2026-11-01T11:00:00Z")
