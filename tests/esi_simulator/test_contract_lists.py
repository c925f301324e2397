from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from support.simulated_esi import SimulatedEsi

FORGE = 10000002
HEIMATAR = 10000030
WITHOUT_MARKET = 10000001
LIST = f"/contracts/public/{FORGE}"


def all_pages(esi: SimulatedEsi, region_id: int) -> list[list[dict[str, Any]]]:
    first = esi.get(f"/contracts/public/{region_id}")
    pages = int(first.headers["x-pages"])
    return [first.content] + [esi.get(f"/contracts/public/{region_id}?page={n}").content for n in range(2, pages + 1)]


def test_pages_have_a_thousand_rows_but_the_last(esi: SimulatedEsi) -> None:
    pages = all_pages(esi, FORGE)

    assert [len(page) for page in pages[:-1]] == [1000]
    assert 100 < len(pages[-1]) < 300


def test_rows_ascend_by_contract_id_within_and_across_pages(esi: SimulatedEsi) -> None:
    ids = [row["contract_id"] for page in all_pages(esi, FORGE) for row in page]

    assert ids == sorted(set(ids))


def test_contract_ids_are_unique_over_regions(esi: SimulatedEsi) -> None:
    regions = [entry["region_id"] for entry in esi.get("/_simulator/regions").content]
    ids = [row["contract_id"] for region_id in regions for page in all_pages(esi, region_id) for row in page]

    assert len(regions) == 5
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("prefix", ["", "/latest", "/v1"])
@pytest.mark.parametrize("suffix", ["", "/", "?datasource=tranquility", "/?datasource=tranquility&page=1"])
def test_old_and_new_addresses_serve_the_same(esi: SimulatedEsi, prefix: str, suffix: str) -> None:
    plain = esi.get(LIST)

    assert esi.get(f"{prefix}{LIST}{suffix}").body == plain.body


def test_the_pages_of_a_generation_are_made_within_a_second(esi: SimulatedEsi) -> None:
    """esi-issues #1149: pages of The Forge whose Expires are a second apart."""
    esi.control("clock", advance=1801)
    first = esi.get(LIST)
    esi.control("clock", advance=600)
    second = esi.get(f"{LIST}?page=2")

    modified, expires = (
        [parsedate_to_datetime(answer.headers[name]) for answer in (first, second)]
        for name in ("last-modified", "expires")
    )
    assert expires[0] - modified[0] == expires[1] - modified[1] == timedelta(seconds=1800)
    assert modified[1] - modified[0] == timedelta(seconds=1)


def test_a_list_stands_until_it_expires_and_is_new_then(esi: SimulatedEsi) -> None:
    before = esi.get(LIST)
    expires = parsedate_to_datetime(before.headers["expires"])
    esi.control("clock", advance=(expires - parsedate_to_datetime(before.headers["date"])).total_seconds() - 1)
    cached = esi.get(LIST)
    esi.control("clock", advance=1)
    renewed = esi.get(LIST)

    assert cached.body == before.body
    assert parsedate_to_datetime(renewed.headers["last-modified"]) == expires
    assert renewed.body != before.body


def test_headers_are_esis(esi: SimulatedEsi) -> None:
    headers = esi.get(LIST).headers

    assert headers["cache-control"] == "public"
    assert len(headers["etag"]) == 58
    assert headers["etag"].strip('"').isalnum()
    assert headers["x-compatibility-date"] == "2020-01-01"
    assert headers["x-esi-cache-status"] in {"HIT", "MISS"}
    assert headers["x-esi-error-limit-remain"] == "100"
    assert 1 <= int(headers["x-esi-error-limit-reset"]) <= 60
    assert "X-Compatibility-Date" in headers["vary"]
    assert headers["x-esi-request-id"] != esi.get(LIST).headers["x-esi-request-id"]


def test_the_date_is_of_the_simulators_clock(esi: SimulatedEsi) -> None:
    before = parsedate_to_datetime(esi.get(LIST).headers["date"])
    esi.control("clock", advance=86_400)

    assert parsedate_to_datetime(esi.get(LIST).headers["date"]) - before == timedelta(days=1)


def test_a_known_etag_is_not_sent_again(esi: SimulatedEsi) -> None:
    known = esi.get(LIST)
    again = esi.get(LIST, {"If-None-Match": f'"other", {known.headers["etag"]}'})
    other_page = esi.get(f"{LIST}?page=2", {"If-None-Match": known.headers["etag"]})

    assert (again.status, again.body) == (304, b"")
    assert again.headers["expires"] == known.headers["expires"]
    assert again.headers["etag"] == known.headers["etag"]
    assert other_page.status == 200


def test_a_list_that_was_not_modified_since_is_not_sent_again(esi: SimulatedEsi) -> None:
    modified = esi.get(LIST).headers["last-modified"]

    assert esi.get(LIST, {"If-Modified-Since": modified}).status == 304
    assert esi.get(LIST, {"If-Modified-Since": "Sun, 01 Nov 2020 00:00:00 GMT"}).status == 200
    assert esi.get(LIST, {"If-Modified-Since": "yesterday"}).status == 200
    assert esi.get(LIST, {"If-Modified-Since": modified, "If-None-Match": '"other"'}).status == 200


def test_lists_come_packed_to_those_who_unpack(esi: SimulatedEsi) -> None:
    plain = esi.get(LIST)
    packed = esi.get(LIST, {"Accept-Encoding": "gzip, deflate"})

    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.body) / 3
    assert packed.body == plain.body


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        (f"{LIST}?page=3", 404, "Requested page does not exist!"),
        (f"{LIST}?page=0", 400, "page must be an integer of at least 1"),
        (f"{LIST}?page=one", 400, "page must be an integer of at least 1"),
        ("/contracts/public/1", 404, "Region not found"),
        ("/contracts/public/99999999999999999999", 400, "99999999999999999999 is not an id"),
    ],
)
def test_wrong_requests_are_refused_in_esis_words(esi: SimulatedEsi, path: str, status: int, message: str) -> None:
    answer = esi.get(path)

    assert (answer.status, answer.content) == (status, {"error": message})


def test_a_region_without_market_has_one_empty_page(esi: SimulatedEsi) -> None:
    answer = esi.get(f"/contracts/public/{WITHOUT_MARKET}")

    assert (answer.status, answer.content, answer.headers["x-pages"]) == (200, [], "1")


def test_absent_fields_are_left_out(esi: SimulatedEsi) -> None:
    rows = [row for page in all_pages(esi, FORGE) for row in page]
    auctions = [row for row in rows if row["type"] == "auction"]
    others = [row for row in rows if row["type"] != "auction"]

    assert auctions
    assert all(value is not None for row in rows for value in row.values())
    assert all("buyout" in row and "collateral" not in row for row in auctions)
    assert all("buyout" not in row and "collateral" in row for row in others)
    assert {row.get("for_corporation") for row in rows} == {None, True}


def test_something_changes_every_minute(esi: SimulatedEsi) -> None:
    lists = []
    for _ in range(5):
        lists.append(esi.get(f"/_simulator/truth/{HEIMATAR}").content["live"])
        esi.control("clock", advance=120)

    assert len({tuple(ids) for ids in lists}) == 5
