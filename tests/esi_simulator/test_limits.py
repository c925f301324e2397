"""What ESI refuses: errors in a window, tokens in a bucket, odd compatibility dates."""

from collections.abc import Callable

import pytest

from support.simulated_esi import SimulatorInProcess

FORGE = 10000002
LIST = f"/contracts/public/{FORGE}"


async def test_the_length_of_the_error_window_is_a_setting(simulated: Callable[..., SimulatorInProcess]) -> None:
    esi = simulated(esi_sim_error_window=5)
    assert await esi.control("errors", spend=100) == {"remain": 0, "reset": 5}
    await esi.control("clock", advance=4)
    limited = await esi.get(LIST)
    await esi.control("clock", advance=1)

    assert (limited.status, limited.headers["x-esi-error-limit-reset"]) == (420, "1")
    assert limited.headers["x-esi-error-limit-remain"] == "0"
    assert "exceeded the error limit" in limited.content["error"]
    assert (await esi.get(LIST)).status == 200


@pytest.mark.parametrize("path", [LIST, "/status", f"/markets/{FORGE}/orders", "/universe/regions", "/nothing"])
async def test_errors_of_another_program_at_the_address_shut_every_route(small: SimulatorInProcess, path: str) -> None:
    await small.control("errors", spend=100)
    answer = await small.get(path)

    assert answer.status == 420
    assert "x-esi-error-limited" in answer.headers


async def test_a_cached_answer_may_repeat_the_limits_of_its_making(small: SimulatorInProcess) -> None:
    """esi-issues #1353."""
    await small.get(LIST)
    await small.control("clock", advance=70)
    await small.control("errors", spend=40, stale_headers=True)
    stale, fresh = await small.get(LIST), await small.get("/universe/regions")

    told = [stale.headers[f"x-esi-error-limit-{name}"] for name in ("remain", "reset")]
    assert told == ["100", "60"]
    assert [fresh.headers[f"x-esi-error-limit-{name}"] for name in ("remain", "reset")] == ["60", "50"]


async def test_contract_routes_can_be_made_to_pay_with_tokens(small: SimulatorInProcess) -> None:
    """2 for a success, 1 for a 304, 5 for a client's error, none for a server's; empty means 429 with Retry-After."""
    await small.control("buckets", group="contract", limit=10, window=900)
    first = await small.get(LIST)
    known = await small.get(LIST, {"If-None-Match": first.headers["etag"]})
    await small.control("faults", route="contracts", status=502)
    failed = await small.get(LIST)
    refused = await small.get("/contracts/public/items/1")
    await small.control("clock", advance=100)
    last = await small.get(LIST)
    empty = [await small.get(path) for path in (LIST, "/contracts/public/bids/1")]

    answers = (first, known, failed, refused, last)
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["8", "7", "7", "2", "0"]
    assert [answer.headers["x-ratelimit-used"] for answer in answers] == ["2", "1", "0", "5", "2"]
    assert [(answer.status, answer.headers["retry-after"]) for answer in empty] == [(429, "800")] * 2
    assert not [name for answer in (*answers, *empty) for name in answer.headers if name.startswith("x-esi-error")]
    assert (await small.get("/universe/regions")).headers["x-esi-error-limit-remain"] == "100"

    await small.control("clock", advance=800)
    assert (await small.get(LIST)).headers["x-ratelimit-remaining"] == "6"


async def test_status_pays_from_a_bucket_of_its_own(small: SimulatorInProcess) -> None:
    answer = await small.get("/status")

    assert answer.headers["x-ratelimit-group"] == "status"
    assert answer.headers["x-ratelimit-limit"] == "600/15m"
    assert answer.headers["x-ratelimit-remaining"] == "598"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("2026-11-01", 200),
        ("2020-01-01", 200),
        ("2026-11-02", 400),
        ("2019-12-31", 400),
        ("tomorrow", 400),
    ],
)
async def test_a_compatibility_date_must_be_one_that_has_come(
    small: SimulatorInProcess, sent: str, status: int
) -> None:
    by_header = await small.get(LIST, {"X-Compatibility-Date": sent})
    by_query = await small.get(f"{LIST}?compatibility_date={sent}")

    assert [by_header.status, by_query.status] == [status, status]
    assert by_header.headers["x-compatibility-date"] == "2020-01-01"


async def test_the_compatibility_date_rolls_at_eleven(small: SimulatorInProcess) -> None:
    await small.control("clock", set="2026-11-02T10:59:59Z")
    before = await small.get(LIST, {"X-Compatibility-Date": "2026-11-02"})
    await small.control("clock", advance=1)
    after = await small.get(LIST, {"X-Compatibility-Date": "2026-11-02"})

    assert [before.status, after.status] == [400, 200]


@pytest.mark.parametrize("prefix", ["/latest", "/legacy", "/dev", "/v1", ""])
async def test_the_new_routes_have_old_addresses_too(small: SimulatorInProcess, prefix: str) -> None:
    plain = await small.get(f"/markets/{FORGE}/orders?type_id=34")

    old = f"{prefix}/markets/{FORGE}/orders/?datasource=tranquility&type_id=34"
    assert (await small.get(old)).body == plain.body
