"""How long we wait, and what of upstream's headers we believe."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestor.domain.retrying import LONGEST_AWAY, pause_after, pause_while_away
from ingestor.esi.client import Traffic
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.governor import LONGEST_PAUSE_SECONDS, Governor, seconds
from support.ingestion import client
from support.simulated_esi import SimulatedEsi


@given(st.integers(-5, 10_000))
def test_pauses_double_from_five_seconds_and_never_exceed_five_minutes(attempts: int) -> None:
    pause = pause_after(attempts)

    assert timedelta(seconds=5) <= pause <= timedelta(minutes=5)
    assert pause_after(attempts + 1) in {pause * 2, pause, timedelta(minutes=5)}


@given(st.timedeltas(timedelta(seconds=-10), timedelta(days=365)))
def test_waiting_for_an_absent_upstream_slows_down_but_never_ends(waiting: timedelta) -> None:
    assert timedelta(seconds=5) <= pause_while_away(waiting) <= LONGEST_AWAY


@pytest.mark.parametrize(
    "header",
    [None, "", " ", "nan", "inf", "-inf", "-1", "soon", "1e999", "0x10", "Wed, 21 Oct 2026 07:28:00 GMT", "\x00"],
)
def test_a_header_that_is_no_number_of_seconds_says_nothing(header: str | None) -> None:
    assert seconds(header) is None


@given(st.floats(0, allow_nan=False, allow_infinity=False))
def test_a_readable_header_is_believed(number: float) -> None:
    assert seconds(str(number)) == number


@given(st.text())
def test_no_header_can_break_the_governor(header: str) -> None:
    found = seconds(header)

    assert found is None or 0 <= found < float("inf")


@pytest.mark.parametrize("status", [420, 429])
@pytest.mark.parametrize("wait", ["1e300", "inf", "nan", "-5", "later", None])
async def test_a_refusal_with_any_header_pauses_for_a_bounded_time(status: int, wait: str | None) -> None:
    governor = Governor(1)

    governor.observe(status, {} if wait is None else {"Retry-After": wait})

    with pytest.raises(UpstreamUnavailableError) as paused:
        async with governor.admitted():
            pass
    assert timedelta(seconds=30) < paused.value.after <= timedelta(seconds=LONGEST_PAUSE_SECONDS + 1)


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    governor = Governor(1)

    governor.pause(600, "first")
    governor.pause(0, "second")

    with pytest.raises(UpstreamUnavailableError, match="first"):
        async with governor.admitted():
            pass


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {}),
        (404, {}),
        (500, {"X-Esi-Error-Limit-Remain": "many"}),
        (404, {"X-Esi-Error-Limit-Remain": "nan", "X-Esi-Error-Limit-Reset": "inf"}),
        (200, {"X-Esi-Error-Limit-Remain": "0", "X-Esi-Error-Limit-Reset": "60"}),
        (404, {"X-Esi-Error-Limit-Remain": "11", "X-Esi-Error-Limit-Reset": "60"}),
    ],
)
async def test_absent_unreadable_and_stale_headers_pause_nothing(status: int, headers: dict[str, str]) -> None:
    governor = Governor(1)

    governor.observe(status, headers)

    async with governor.admitted():
        pass


async def test_errors_that_run_out_pause_before_the_last_one_is_spent() -> None:
    governor = Governor(1)

    governor.observe(404, {"X-Esi-Error-Limit-Remain": "10", "X-Esi-Error-Limit-Reset": "42"})

    with pytest.raises(UpstreamUnavailableError, match="10 errors left"):
        async with governor.admitted():
            pass


@pytest.mark.parametrize(("status", "headers"), [(420, {}), (429, {"Retry-After": "120"})])
async def test_no_request_leaves_while_upstream_wants_none(
    esi: SimulatedEsi, status: int, headers: dict[str, str]
) -> None:
    esi.control("faults", route="status", status=status, headers=headers, count=50)
    before = esi.get("/_simulator/stats").content["total"]

    async with client(esi.url) as upstream:
        for _ in range(5):
            with pytest.raises(UpstreamUnavailableError, match="paused"):
                await upstream.get("/status", traffic=Traffic())

        assert esi.get("/_simulator/stats").content["total"] == before + 1
        assert upstream.health.ok is False
