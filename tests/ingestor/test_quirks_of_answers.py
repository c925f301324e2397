"""ESI's answers, quirk by quirk: each case is named by the fact that it protects. `docs/upstream.md` has them all."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ingestor.domain.bidding import in_order
from ingestor.domain.upstream_clock import UpstreamClock
from ingestor.esi import models
from ingestor.esi.cache import Validators
from ingestor.esi.client import COMPATIBILITY_DATE, Answer, EsiClient, Traffic
from ingestor.esi.errors import UpstreamUnavailableError
from ingestor.esi.governor import Governor
from ingestor.esi.items import ItemsMissing, ItemsRead, contract_items
from ingestor.esi.rows import read_rows
from support.ingestion import settings
from support.scripted_esi import Asked, ScriptedEsi, answer, scripted_esi

ROW = {
    "contract_id": 236_000_001,
    "type": "item_exchange",
    "date_issued": "2026-10-31T12:00:00Z",
    "date_expired": "2026-11-28T12:00:00Z",
    "issuer_id": 2_112_625_428,
    "issuer_corporation_id": 98_000_001,
}
COPY = {
    "is_blueprint_copy": True,
    "is_included": True,
    "item_id": 1047092007473,
    "material_efficiency": 5,
    "quantity": 1,
    "record_id": 5302078925,
    "runs": 1,
    "time_efficiency": 10,
    "type_id": 77416,
}
PLAIN = {"record_id": 1, "type_id": 34, "quantity": 1, "is_included": True}
NOON, EARLIER = "Sun, 01 Nov 2026 12:00:00 GMT", "Sun, 01 Nov 2026 11:30:00 GMT"
DOWNTIME = "Sun, 01 Nov 2026 11:05:00 GMT"

LEAST: dict[type[Any], dict[str, Any]] = {
    models.PublicContract: ROW,
    models.PublicItem: PLAIN,
    models.PublicBid: {"bid_id": 6672150, "amount": 15000000.0, "date_bid": "2026-09-23T08:11:31Z"},
    models.RolledAttribute: {"attribute_id": 20, "value": -61.2},
    models.DynamicItem: {"created_by": 1, "source_type_id": 526, "mutator_type_id": 47297, "dogma_attributes": []},
    models.MarketPrice: {"type_id": 34},
    models.MarketOrder: {
        "duration": 90,
        "is_buy_order": False,
        "issued": "2026-10-31T12:00:00Z",
        "location_id": 60003760,
        "min_volume": 1,
        "order_id": 7_000_000_000,
        "price": 4.75,
        "range": "region",
        "system_id": 30000142,
        "type_id": 34,
        "volume_remain": 1,
        "volume_total": 2,
    },
    models.ItemType: {"type_id": 34, "name": "Tritanium", "group_id": 18, "description": "", "published": True},
    models.Group: {"group_id": 18, "name": "Mineral", "category_id": 4, "published": True, "types": [34]},
    models.Category: {"category_id": 4, "name": "Material", "published": True, "groups": [18]},
    models.Region: {"region_id": 10000002, "name": "The Forge", "constellations": [20000020]},
    models.Station: {"station_id": 60003760, "name": "Jita IV - Moon 4", "system_id": 30000142, "services": []},
    models.Name: {"id": 90000001, "name": "Somebody", "category": "character"},
}
"""What ESI promises of each answer; all other fields may be left out."""


def test_of_each_answer_it_is_known_what_may_be_left_out() -> None:
    structs = {kind for kind in vars(models).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)}

    assert set(LEAST) == structs


@pytest.mark.parametrize("kind", LEAST, ids=lambda kind: kind.__name__)
def test_absent_fields_are_absent_and_new_ones_are_ignored(kind: type[Any]) -> None:
    least = msgspec.json.decode(json.dumps(LEAST[kind]), type=kind)

    more = msgspec.json.decode(json.dumps({"added_by_ccp": [{"of": None}], **LEAST[kind]}), type=kind)

    assert least == more
    optional = [name for name in kind.__struct_fields__ if name not in LEAST[kind] and name != "for_corporation"]
    assert [getattr(least, name) for name in optional] == [None] * len(optional)


@pytest.mark.parametrize(
    ("written", "name", "meant"),
    [
        pytest.param(b"", "for_corporation", False, id="for_corporation is there only when it is true: absent"),
        pytest.param(b'"for_corporation":true', "for_corporation", True, id="for_corporation is there when true"),
        pytest.param(b"", "collateral", None, id="an auction has no collateral"),
        pytest.param(b"", "buyout", None, id="only an auction has a buyout"),
        pytest.param(b'"buyout":0.0', "buyout", Decimal(0), id="a buyout of 0 is written as such"),
        pytest.param(b'"price":0.0', "price", Decimal(0), id="who wants to buy may ask for nothing"),
        pytest.param(b'"price":29999990.5', "price", Decimal("29999990.5"), id="money is a float with two decimals"),
        pytest.param(b'"price":90071992547409.91', "price", Decimal("90071992547409.91"), id="money is exact"),
        pytest.param(b'"volume":2.1699999999999986', "volume", 2.1699999999999986, id="a volume has noise"),
        pytest.param(b'"title":""', "title", "", id="half of all titles are empty"),
        pytest.param(rb'"title":"https:\/\/x.y"', "title", "https://x.y", id="slashes come escaped"),
        pytest.param(b'"title":" a  b "', "title", " a  b ", id="a title is free text"),
        pytest.param(b'"start_location_id":1035466617946', "start_location_id", 1035466617946, id="int64: structures"),
        pytest.param(b'"type":"swap"', "type", "swap", id="an enum may grow"),
    ],
)
def test_a_row_of_a_list_means_what_esi_means_by_it(written: bytes, name: str, meant: object) -> None:
    row = json.dumps({key: value for key, value in ROW.items() if b'"%s"' % key.encode() not in written}).encode()
    body = b"[" + row[:-1] + (b"," + written if written else b"") + b"}]"

    (read,) = read_rows(body, {}).new

    assert getattr(read, name) == meant


@pytest.mark.parametrize("field", ["volume", "price"])
def test_a_number_beyond_all_numbers_rejects_its_row_alone(field: str) -> None:
    bad = json.dumps({**ROW, field: 1}).replace(": 1}", ": 1e999}").encode()
    body = b"[" + bad + b"," + json.dumps(ROW).encode() + b"]"

    found = read_rows(body, {})

    assert (len(found.new), found.rejected) == (1, 1)


def test_a_title_that_was_cut_within_a_character_costs_only_that_character() -> None:
    cut = json.dumps({**ROW, "title": "?"}).encode().replace(b"?", rb"\\ud83d \ud83d\ude80 \ud83d")
    body = b"[" + cut + b"," + json.dumps({**ROW, "contract_id": 236_000_002}).encode() + b"]"

    found = read_rows(body, {})

    assert [(row.contract_id, row.title) for row in found.new] == [
        (236_000_001, "\\ud83d \U0001f680 \ufffd"),
        (236_000_002, None),
    ]
    assert found.rejected == 0


# Of what is asked for


@asynccontextmanager
async def asking(
    script: Callable[[Asked], bytes | None],
) -> AsyncIterator[tuple[ScriptedEsi, EsiClient, Governor]]:
    """A client that repeats without a pause."""
    governor = Governor(20)
    async with (
        scripted_esi(script) as esi,
        EsiClient(settings(esi.url, timeout=0.3), governor, retry_seconds=(1e-6, 1e-6)) as upstream,
    ):
        yield esi, upstream, governor


def test_the_compatibility_date_is_a_day_of_the_past_and_that_of_the_document_we_read() -> None:
    today = (datetime.now(UTC) - timedelta(hours=11)).date()  # ESI's day begins at 11:00

    assert date(2025, 9, 30) <= date.fromisoformat(COMPATIBILITY_DATE) <= today
    assert f"OpenAPI of {COMPATIBILITY_DATE}" in str(models.__doc__)


PACKED = gzip.compress(b"[1, 2, 3]")
NOTHING = b"\0" * 40


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(answer({"error": "The datasource tranquility is temporarily unavailable"}, 502), id="502"),
        pytest.param(answer({"error": "The datasource tranquility is temporarily unavailable"}, 503), id="503"),
        pytest.param(answer({"error": "Timeout contacting tranquility"}, 504), id="504"),
        pytest.param(answer({"error": "Unhandled internal error encountered!"}, 500), id="500"),
        pytest.param(answer(b"<html>bad gateway</html>", 502), id="a gateway's page"),
        pytest.param(answer({"error": "Contract not found"}, 404, Date=DOWNTIME), id="404s come in bursts after 11:00"),
        pytest.param(answer(b"", 304, Content_Length=None), id="304 that nobody asked for"),
        pytest.param(answer(PACKED[:-9], Content_Encoding="gzip"), id="gzip that ends too early"),
        pytest.param(answer(b"[1]", Content_Encoding="gzip"), id="gzip that is none"),
        pytest.param(answer(NOTHING, Content_Encoding="gzip"), id="gzip of nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1", id="a body that breaks off"),
        pytest.param(b"", id="no answer"),
    ],
)
async def test_what_tells_of_upstreams_trouble_is_repeated_and_then_unavailable(said: bytes) -> None:
    async with asking(lambda _: said) as (esi, upstream, _):
        with pytest.raises(UpstreamUnavailableError):
            await upstream.get("/contracts/public/items/7", traffic=Traffic())

        assert len(esi.asked) >= 3


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        pytest.param(answer(b"", 204, ETag='W/"x"', Content_Length=None), 204, "", id="204 is an answer, with an ETag"),
        pytest.param(answer({"error": "Contract not public"}, 403), 403, "Contract not public", id="403"),
        pytest.param(answer({"error": "Contract not found"}, 404, Date=NOON), 404, "Contract not found", id="404"),
        pytest.param(answer({"error": "ItemNotFound"}, 520), 520, "ItemNotFound", id="520 ItemNotFound is an answer"),
        pytest.param(
            answer({"error": "x", "details": [{"loc": 1}], "code": 4}, 400), 400, "x", id="an error may have more to it"
        ),
        pytest.param(answer(["no object"], 400), 400, '["no object"]', id="an error may be no object"),
    ],
)
async def test_what_tells_of_the_thing_asked_for_is_an_answer(said: bytes, status: int, words: str) -> None:
    async with asking(lambda _: said) as (esi, upstream, _):
        found = await upstream.get("/contracts/public/items/7", traffic=Traffic())

        assert (found.status, found.error(), len(esi.asked)) == (status, words, 1)


async def test_a_packed_body_is_unpacked() -> None:
    async with asking(lambda _: answer(PACKED, Content_Encoding="gzip", Vary="Accept-Encoding")) as (_, upstream, _):
        found = await upstream.get("/markets/prices", traffic=Traffic())

        assert found.body == b"[1, 2, 3]"


@pytest.mark.parametrize("status", [420, 429])
@pytest.mark.parametrize("wait", [None, "0", "-1", "nan", "inf", "1e300", NOON, "later"])
async def test_whoever_is_told_to_stop_stops_at_once_whatever_the_wait_is(status: int, wait: str | None) -> None:
    said = answer({"error": "This software has exceeded the error limit for ESI."}, status, Retry_After=wait)
    async with asking(lambda _: said) as (esi, upstream, _):
        for path in ("/contracts/public/items/7", "/contracts/public/10000002", "/markets/prices"):
            with pytest.raises(UpstreamUnavailableError, match="paused") as paused:
                await upstream.get(path, traffic=Traffic())
            assert timedelta(seconds=0.5) < paused.value.after < timedelta(minutes=16)

        assert len(esi.asked) == 1


async def test_an_answer_that_never_came_counts_as_an_error_too() -> None:
    errors = {"X_Esi_Error_Limit_Remain": "90", "X_Esi_Error_Limit_Reset": "50"}
    replies = [answer({"error": "Contract not found"}, 404, **errors), b"", b"", b""]
    async with asking(lambda _: replies.pop(0)) as (_, upstream, governor):
        await upstream.get("/contracts/public/items/7", traffic=Traffic())
        with pytest.raises(UpstreamUnavailableError):
            await upstream.get("/contracts/public/items/8", traffic=Traffic())

        assert governor.errors.remaining is not None
        assert governor.errors.remaining <= 87


NO_DATES = ["", "0", "never", "Sun, 01 Nov 99999999999 12:00:00 GMT", "Sun, 32 Nov 2026 99:00:00 GMT"]


@pytest.mark.parametrize("header", ["Date", "Expires"])
@pytest.mark.parametrize("said", [*NO_DATES, None])
async def test_a_date_that_is_none_says_nothing(header: str, said: str | None) -> None:
    headers = {"Date": EARLIER, "Expires": NOON, header: said}
    async with asking(lambda _: answer([], 200, **headers)) as (_, upstream, _):
        found = await upstream.get("/markets/prices", traffic=Traffic())

        assert found.fresh_for == timedelta()


@pytest.mark.parametrize(
    ("kept", "headers"),
    [
        pytest.param(Validators('"a"', EARLIER), {"If-None-Match": '"a"'}, id="an ETag is the better validator"),
        pytest.param(Validators(None, EARLIER), {"If-Modified-Since": EARLIER}, id="Last-Modified will do"),
        pytest.param(Validators(None, None), {}, id="neither"),
    ],
)
def test_what_is_kept_is_asked_for_with_its_best_validator(kept: Validators, headers: dict[str, str]) -> None:
    assert kept.headers() == headers


@pytest.mark.parametrize(
    ("etag", "status", "named", "confirmed"),
    [
        pytest.param('"a"', 304, '"a"', True, id="a 304 names what it confirms"),
        pytest.param('"a"', 304, None, True, id="or leaves it out"),
        pytest.param('"a"', 304, 'W/"a"', True, id="weakly"),
        pytest.param('W/"a"', 304, '"a"', True, id="static routes have weak ETags"),
        pytest.param('"a"', 304, '"b"', False, id="a 304 may lie"),
        pytest.param('"a"', 200, '"a"', False, id="a 200 confirms nothing"),
        pytest.param(None, 304, '"b"', True, id="what was asked for by its date"),
    ],
)
def test_a_304_is_believed_of_what_was_asked_for(
    etag: str | None, status: int, named: str | None, *, confirmed: bool
) -> None:
    said = Answer(status, {} if named is None else {"ETag": named}, b"", 0.0, UpstreamClock())

    assert Validators(etag, EARLIER).confirmed_by(said) is confirmed


# Items


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(COPY, id="a copy as it was recorded; record_id and item_id are int64"),
        pytest.param({**PLAIN, "is_included": False}, id="what is wanted has no item_id"),
        pytest.param({**PLAIN, "runs": -1, "is_blueprint_copy": False}, id="an original by the specification"),
        pytest.param({**PLAIN, "quantity": 2**40}, id="a stack is an int64"),
    ],
)
async def test_an_item_is_read_as_it_is(row: dict[str, Any]) -> None:
    async with asking(lambda _: answer([row], X_Pages="1")) as (_, upstream, _):
        read = await contract_items(upstream, 7, Traffic())

    assert isinstance(read, ItemsRead)
    (item,) = read.items
    fields = {name: getattr(item, name) for name in item.__struct_fields__}
    assert {name: value for name, value in fields.items() if value is not None} == row


def full(page: int) -> list[dict[str, Any]]:
    return [{**PLAIN, "record_id": page * 1000 + number} for number in range(1000)]


@pytest.mark.parametrize(
    ("second", "whole"),
    [
        pytest.param(answer([PLAIN], X_Pages="2"), True, id="X-Pages on each page"),
        pytest.param(answer([PLAIN]), True, id="X-Pages on the first page only"),
        pytest.param(answer([], X_Pages="2"), False, id="an empty page"),
        pytest.param(answer(full(1), X_Pages="1"), False, id="fewer pages than before"),
        pytest.param(answer([PLAIN], X_Pages="3"), False, id="more pages than before"),
        pytest.param(answer([PLAIN], X_Pages="many"), False, id="X-Pages garbled"),
        pytest.param(answer({"error": "Requested page does not exist!"}, 404, Date=NOON), False, id="a page is gone"),
        pytest.param(
            answer({"error": "Undefined 404 response. Original message: Requested page does not exist!"}, 500),
            False,
            id="gone in the older words",
        ),
        pytest.param(answer(b"", 204, Content_Length=None), False, id="204 between two pages"),
    ],
)
async def test_items_are_whole_or_missing(second: bytes, *, whole: bool) -> None:
    def script(asked: Asked) -> bytes:
        return second if asked.target.endswith("page=2") else answer(full(0), X_Pages="2")

    async with asking(script) as (_, upstream, _):
        read = await contract_items(upstream, 7, Traffic())

    assert isinstance(read, ItemsRead) is whole
    if isinstance(read, ItemsRead):
        assert len(read.items) == 1000


@pytest.mark.parametrize("stated", ["0", "-1", "999999999", "1.5", "9" * 5000])
async def test_a_number_of_pages_that_cannot_be_leaves_the_items_missing(stated: str) -> None:
    async with asking(lambda _: answer([PLAIN], X_Pages=stated)) as (esi, upstream, _):
        assert isinstance(await contract_items(upstream, 7, Traffic()), ItemsMissing)

        assert len(esi.asked) == 1


async def test_a_thousand_items_on_one_page_are_whole_if_esi_says_so() -> None:
    async with asking(lambda _: answer(full(0), X_Pages="1")) as (_, upstream, _):
        read = await contract_items(upstream, 7, Traffic())

    assert isinstance(read, ItemsRead)
    assert len(read.items) == 1000


async def test_whatever_comes_twice_is_read_once() -> None:
    bid = models.PublicBid(1, Decimal(5), datetime(2026, 11, 1, tzinfo=UTC))

    async with asking(lambda _: answer([PLAIN, COPY], X_Pages="2")) as (esi, upstream, _):
        read = await contract_items(upstream, 7, Traffic())

    assert isinstance(read, ItemsRead)
    assert [item.record_id for item in read.items] == [1, COPY["record_id"]]
    assert len(esi.asked) == 2
    assert in_order([bid, bid]) == [bid]
