"""Answers that go wrong on their way."""

import asyncio
import http.client
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from support.simulated_esi import SimulatorInProcess, served

FORGE = 10000002
LIST = f"/contracts/public/{FORGE}"


async def test_a_truncated_body_ends_before_the_length_that_was_told(small: SimulatorInProcess) -> None:
    await small.control("faults", route="contracts", kind="truncate")

    with pytest.raises(ConnectionError):
        await small.get(LIST)
    assert (await small.get(LIST)).status == 200


async def test_a_truncated_body_closes_the_connection(small: SimulatorInProcess) -> None:
    plain = await small.get(LIST)
    await small.control("faults", route="contracts", kind="truncate")

    def read(address: str) -> int:
        with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
            connection.request("GET", LIST)
            with connection.getresponse() as response, pytest.raises(http.client.IncompleteRead) as caught:
                response.read()
        return len(caught.value.partial)

    async with served(small.simulator) as url:
        arrived = await asyncio.to_thread(read, urlsplit(url).netloc)
    assert arrived == len(plain.body) // 2


async def test_a_stalled_body_is_silent_in_the_middle(small: SimulatorInProcess, slept: list[float]) -> None:
    plain = await small.get(LIST)
    await small.control("faults", route="contracts", kind="stall", seconds=40)

    assert (await small.get(LIST)).body == plain.body
    assert slept == [40]


async def test_a_304_may_lie(small: SimulatorInProcess) -> None:
    plain = await small.get(LIST)
    await small.control("faults", route="contracts", kind="lying_304", count=2)
    outdated, unconditional = await small.get(LIST, {"If-None-Match": '"old"'}), await small.get(LIST)

    assert [(answer.status, answer.body) for answer in (outdated, unconditional)] == [(304, b"")] * 2
    assert outdated.headers["etag"] == plain.headers["etag"], "who compares it with the one that was sent finds out"


async def test_the_monolith_says_how_long_in_microseconds(small: SimulatorInProcess) -> None:
    await small.control("faults", route="items", kind="spamming", seconds=3.5)
    answer = await small.get("/contracts/public/items/1")

    assert (answer.status, answer.content) == (
        520,
        {"error": 'ConStopSpamming, details: {"remainingTime": 3500000}'},
    )
    assert answer.headers["x-esi-error-limit-remain"] == "99"


async def test_the_last_page_may_be_gone_for_once(small: SimulatorInProcess) -> None:
    await small.control("faults", route="contracts", kind="past_end", contains="page=5")
    gone = await small.get(f"{LIST}?page=5")

    assert (gone.status, gone.content) == (404, {"error": "Requested page does not exist!"})
    assert (await small.get(f"{LIST}?page=5")).status == 200


async def test_a_fault_of_no_known_kind_is_refused(small: SimulatorInProcess) -> None:
    with pytest.raises(ValueError, match="kind is one of"):
        await small.control("faults", kind="earthquake")
