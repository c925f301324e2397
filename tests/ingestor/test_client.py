"""Asking ESI: what is repeated, what is given up, and what is never believed."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ingestor.esi.client import COMPATIBILITY_DATE, Traffic
from ingestor.esi.errors import UpstreamRefusedError, UpstreamUnavailableError
from ingestor.esi.items import ItemsMissing, ItemsRead, contract_items
from support.ingestion import NOWHERE, REGION, client, public_contracts
from support.scripted_esi import Asked, answer, listed, scripted_esi
from support.simulated_esi import SimulatedEsi

ROW = {
    "contract_id": 1,
    "type": "item_exchange",
    "date_issued": "2026-10-31T12:00:00Z",
    "date_expired": "2026-11-28T12:00:00Z",
    "issuer_id": 90000001,
    "issuer_corporation_id": 98000001,
}
ITEM = {"record_id": 1, "type_id": 34, "quantity": 1, "is_included": True}


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [{**ROW, "contract_id": number} for number in range(first, last + 1)]


def page_of(asked: Asked) -> int:
    return int(asked.target.partition("page=")[2] or 1)


async def test_a_server_error_is_repeated_until_it_succeeds(esi: SimulatedEsi) -> None:
    esi.control("faults", route="status", status=502, count=1)
    traffic = Traffic()

    async with client(esi.url) as upstream:
        found = await upstream.get("/status", traffic=traffic)

        assert found.status == 200
        assert traffic.requests == 2
        assert upstream.health.ok is True


async def test_a_server_that_keeps_failing_is_given_up_after_three_requests(esi: SimulatedEsi) -> None:
    esi.control("faults", route="status", status=503, count=50)
    traffic = Traffic()

    async with client(esi.url) as upstream:
        with pytest.raises(UpstreamUnavailableError, match="503"):
            await upstream.get("/status", traffic=traffic)

        assert traffic.requests == 3
        assert upstream.health.ok is False


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with client(NOWHERE) as upstream:
        with pytest.raises(UpstreamUnavailableError, match="Connect"):
            await upstream.get("/status", traffic=Traffic())


@pytest.mark.parametrize("said", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[", b"nonsense\r\n\r\n", b""])
async def test_a_body_that_stalls_or_breaks_off_is_unavailable(said: bytes | None) -> None:
    async with scripted_esi(lambda _: said) as script, client(script.url, timeout=0.2) as upstream:
        with pytest.raises(UpstreamUnavailableError):
            await upstream.get("/status", traffic=Traffic())

        assert len(script.asked) >= 3


async def test_every_request_says_who_asks_and_for_which_version() -> None:
    async with scripted_esi(lambda _: answer([])) as script, client(script.url) as upstream:
        await upstream.get("/contracts/public/1", params={"page": "2"}, traffic=Traffic())
        await upstream.post("/universe/names", [1], traffic=Traffic())

    assert [asked.method for asked in script.asked] == ["GET", "POST"]
    for asked in script.asked:
        assert "tests@example.com" in asked.headers["user-agent"]
        assert asked.headers["x-compatibility-date"] == COMPATIBILITY_DATE


async def test_a_region_that_esi_does_not_know_is_refused_with_its_words(
    engine: AsyncEngine, esi: SimulatedEsi
) -> None:
    async with client(esi.url) as upstream:
        with pytest.raises(UpstreamRefusedError, match="404: Region not found"):
            await public_contracts(engine, upstream, 99, Traffic())


async def test_the_simulators_list_is_read_whole(engine: AsyncEngine, esi: SimulatedEsi) -> None:
    truth = esi.truth(REGION)

    async with client(esi.url) as upstream:
        listing = await public_contracts(engine, upstream, REGION, Traffic())

    assert (listing.flaw, listing.pages) == (None, 2)
    assert [row.contract_id for row in listing.rows] == [row["contract_id"] for row in truth["listed"]]


@pytest.mark.parametrize(
    "said",
    [
        listed(b'[{"contract_id":'),
        listed(b"<html>Bad Gateway</html>"),
        listed(b""),
        listed(b'{"error": "a list was wanted"}'),
        listed([ROW], X_Pages=None),
        listed([ROW], X_Pages="many"),
        listed([ROW], X_Pages="0"),
        listed([ROW], X_Pages="-1"),
        listed([ROW], X_Pages="999999999"),
        listed([ROW], Last_Modified=None),
        listed([ROW], Last_Modified="yesterday"),
    ],
)
async def test_what_is_no_whole_list_is_not_taken_for_one(engine: AsyncEngine, said: bytes) -> None:
    async with scripted_esi(lambda _: said) as script, client(script.url) as upstream:
        with pytest.raises(UpstreamUnavailableError):
            await public_contracts(engine, upstream, REGION, Traffic())

        assert len(script.asked) == 1


@pytest.mark.parametrize(
    "bad",
    [
        b'{"contract_id": "x"}',
        b'{"contract_id": 2}',
        b"null",
        b"7",
        json.dumps({**ROW, "price": "NaN"}).encode(),
        json.dumps({**ROW, "price": 1e30}).encode(),
        json.dumps({**ROW, "date_expired": "2026-11-28T12:00:00"}).encode(),
        json.dumps({**ROW, "title": "?"}).encode().replace(b"?", b"\xff"),
    ],
)
async def test_a_row_that_cannot_be_read_is_counted_and_takes_no_other_along(engine: AsyncEngine, bad: bytes) -> None:
    good = json.dumps({**ROW, "contract_id": 9}).encode()
    body = b"[" + b",".join([b'{"contract_id": 0}', bad, good]) + b"]"

    async with scripted_esi(lambda _: listed(body)) as script, client(script.url) as upstream:
        listing = await public_contracts(engine, upstream, REGION, Traffic())

    assert [row.contract_id for row in listing.rows] == [9]
    assert listing.rejected == 2
    assert listing.flaw == "some rows could not be read"


async def test_text_that_is_no_unicode_rejects_its_row_alone(engine: AsyncEngine) -> None:
    odd = json.dumps({**ROW, "title": "?"}).encode().replace(b"?", b"\xff")
    body = b"[" + b",".join([odd, json.dumps(ROW).encode()]) + b"]"

    async with scripted_esi(lambda _: listed(body)) as script, client(script.url) as upstream:
        listing = await public_contracts(engine, upstream, REGION, Traffic())

    assert (len(listing.rows), listing.rejected) == (1, 1)


def _vanishing(readings: int) -> Callable[[Asked], bytes]:
    """A list whose second page is gone for the first `readings` of it, and then is not said to be there."""
    gone = 0

    def script(asked: Asked) -> bytes:
        nonlocal gone
        if page_of(asked) == 1:
            return listed(rows(1, 3), X_Pages="2" if gone < readings else "1")
        gone += 1
        return answer({"error": "Requested page does not exist!"}, status=404)

    return script


async def test_a_page_that_vanished_meanwhile_means_a_second_reading(engine: AsyncEngine) -> None:
    async with scripted_esi(_vanishing(1)) as script, client(script.url) as upstream:
        listing = await public_contracts(engine, upstream, REGION, Traffic())

    assert (len(listing.rows), listing.flaw) == (3, None)
    assert len(script.asked) == 3


async def test_pages_that_never_agree_are_taken_as_they_are_with_the_flaw(engine: AsyncEngine) -> None:
    def script(asked: Asked) -> bytes:
        first = page_of(asked) == 1
        modified = "Sun, 01 Nov 2026 11:50:00 GMT" if first else "Sun, 01 Nov 2026 11:20:00 GMT"
        return listed(rows(1, 3) if first else rows(4, 5), X_Pages="2", Last_Modified=modified)

    async with scripted_esi(script) as esi, client(esi.url) as upstream:
        listing = await public_contracts(engine, upstream, REGION, Traffic())

    assert listing.flaw == "the pages are of different generations"
    assert len(listing.rows) == 5
    assert len(esi.asked) == 6


async def test_a_page_that_upstream_cannot_give_makes_the_list_unavailable(engine: AsyncEngine) -> None:
    def script(asked: Asked) -> bytes:
        return listed(rows(1, 3), X_Pages="3") if page_of(asked) == 1 else listed(b"<html>")

    async with scripted_esi(script) as esi, client(esi.url) as upstream:
        with pytest.raises(ExceptionGroup) as raised:
            await public_contracts(engine, upstream, REGION, Traffic())

    assert all(isinstance(error, UpstreamUnavailableError) for error in raised.value.exceptions)


@pytest.mark.parametrize(
    ("expires", "left"),
    [
        ("Sun, 01 Nov 2026 12:20:00 GMT", timedelta(minutes=20, seconds=0.1)),
        ("Sun, 01 Nov 2026 11:00:00 GMT", timedelta()),
        ("Sun, 01 Nov 2999 12:00:00 GMT", timedelta(hours=2)),
        ("never", timedelta()),
        ("0", timedelta()),
    ],
)
async def test_freshness_is_measured_on_upstreams_clock_and_bounded(expires: str, left: timedelta) -> None:
    said = answer([], Date="Sun, 01 Nov 2026 12:00:00 GMT", Expires=expires)

    async with scripted_esi(lambda _: said) as script, client(script.url) as upstream:
        found = await upstream.get("/status", traffic=Traffic())

    assert left - timedelta(seconds=1) <= found.fresh_for <= left


async def test_all_pages_of_items_are_read() -> None:
    def script(asked: Asked) -> bytes:
        return answer([{**ITEM, "record_id": page_of(asked)}], X_Pages="3")

    async with scripted_esi(script) as esi, client(esi.url) as upstream:
        read = await contract_items(upstream, 7, Traffic())

    assert isinstance(read, ItemsRead)
    assert [item.record_id for item in read.items] == [1, 2, 3]


@pytest.mark.parametrize(
    "said",
    [
        answer([], X_Pages="1"),
        answer(b"", status=204),
        answer({"error": "Contract not public"}, status=403),
        answer({"error": "Contract not found"}, status=404),
        answer({"error": "a \x00 in it"}, status=404),
        answer(b"\xff\xff", status=404),
        answer(b"[{]"),
        answer(b"\xff"),
        answer({"items": []}),
        answer([{**ITEM, "quantity": 1.5}]),
        answer([{**ITEM, "record_id": 2**64}]),
        answer([ITEM], X_Pages="many"),
        answer([{**ITEM, "record_id": number} for number in range(1000)], X_Pages=None),
    ],
)
async def test_what_is_no_complete_answer_leaves_the_items_missing(said: bytes) -> None:
    async with scripted_esi(lambda _: said) as esi, client(esi.url) as upstream:
        missing = await contract_items(upstream, 7, Traffic())

    assert isinstance(missing, ItemsMissing)
    assert missing.reason
    assert "\x00" not in missing.reason


async def test_a_second_page_of_items_that_is_gone_leaves_all_of_them_missing() -> None:
    def script(asked: Asked) -> bytes:
        return answer([ITEM], X_Pages="2") if page_of(asked) == 1 else answer({"error": "gone"}, status=404)

    async with scripted_esi(script) as esi, client(esi.url) as upstream:
        assert isinstance(await contract_items(upstream, 7, Traffic()), ItemsMissing)
