import asyncio
import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.limits import Buckets, Clients
from support.served_api import ServedApi, api_settings, served

PATH = "/api/v1/contracts/1"


async def statuses(api: ServedApi, count: int, *, path: str = PATH, **headers: str) -> list[int]:
    return [(await api.get(path, headers=headers)).status for _ in range(count)]


async def test_whoever_asks_too_often_is_refused_and_told_when_to_come_back(database_url: str) -> None:
    async with served(
        api_settings(database_url, api_rate_exempt=(), api_rate_limit=0.5, api_rate_burst=3, cors_origins=("*",))
    ) as api:
        replies = [await api.get(PATH, headers={"Origin": "https://a.example"}) for _ in range(5)]

    assert [reply.status for reply in replies] == [404, 404, 404, 429, 429]
    assert [reply.headers["RateLimit"] for reply in replies[:3]] == [
        '"address";r=2;t=2',
        '"address";r=1;t=4',
        '"address";r=0;t=2',
    ]
    refused = replies[-1]
    assert {reply.headers["RateLimit-Policy"] for reply in replies} == {'"address";q=3;w=6'}
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] in {"1", "2"}
    assert refused.headers["RateLimit"] == f'"address";r=0;t={refused.headers["Retry-After"]}'
    assert refused.headers["Cache-Control"] == "no-store"
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    assert refused.content["type"].endswith("#quota-exceeded")
    assert refused.content["violated-policies"] == ["address"]
    assert refused.content["request_id"] == refused.headers["X-Request-ID"]


async def test_after_the_time_that_was_told_a_request_passes(database_url: str) -> None:
    settings = api_settings(database_url, api_rate_exempt=(), api_rate_limit=1, api_rate_burst=1)
    async with served(settings) as api:
        await api.get(PATH)
        refused = await api.get(PATH)
        await asyncio.sleep(int(refused.headers["Retry-After"]))
        later = await api.get(PATH)

    assert (refused.status, later.status) == (429, 404)


async def test_probes_and_scrapes_are_free_and_answers_from_memory_are_not(database_url: str) -> None:
    settings = api_settings(database_url, api_rate_exempt=(), api_rate_limit=0.01, api_rate_burst=4)
    async with served(settings) as api:
        free = await statuses(api, 5, path="/health") + await statuses(api, 5, path="/metrics")
        counted = await statuses(api, 6, path="/api/v1/regions")
        metrics = (await api.get("/metrics", shows_key=True)).body.decode()

    assert set(free) == {200}
    assert counted == [200] * 4 + [429] * 2
    assert re.search(r'_count\{method="GET",route="none",status="429"\} 2\.0', metrics)


async def test_the_host_itself_is_free_by_default_and_zero_frees_everybody(database_url: str) -> None:
    for settings in (
        api_settings(database_url, api_rate_limit=0.01, api_rate_burst=1),
        api_settings(database_url, api_rate_limit=0, api_rate_exempt=()),
    ):
        async with served(settings) as api:
            reply, *others = [await api.get(PATH) for _ in range(3)]

        assert {reply.status, *(other.status for other in others)} == {404}
        assert "RateLimit" not in reply.headers


async def test_a_trusted_proxy_says_who_asks_and_strangers_do_not(database_url: str) -> None:
    loopback = (ip_network("127.0.0.0/8"),)
    for proxies, expected in ((loopback, [404, 404, 429]), ((), [404, 429, 429])):
        settings = api_settings(
            database_url,
            api_rate_exempt=(),
            api_rate_limit=0.01,
            api_rate_burst=1,
            api_trusted_proxies=proxies,
        )
        async with served(settings) as api:
            seen = [
                (await api.get(PATH, headers={"X-Forwarded-For": forwarded})).status
                for forwarded in ("203.0.113.1", "203.0.113.2", "198.51.100.7, 203.0.113.1")
            ]

        assert seen == expected


@pytest.mark.parametrize(
    ("peer", "forwarded", "name"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"),
        ("10.0.0.1", "not an address", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "", "203.0.113.9"),
        ("fe80::1%eth0", "", "fe80::/64"),
        ("192.0.2.1", "", None),
        ("10.0.0.1", "192.0.2.77", None),
        ("testserver", "", None),
    ],
)
def test_who_asks(peer: str, forwarded: str, name: str | None) -> None:
    clients = Clients(proxies=[ip_network("10.0.0.0/8")], exempt=[ip_network("192.0.2.0/24")])

    assert clients.name(peer, forwarded) == name


def test_what_is_remembered_is_bounded() -> None:
    buckets = Buckets(1, 5, most=100)

    for number in range(10_000):
        buckets.take(str(number), at=0)

    assert len(buckets) == 100


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 50),
    gaps=st.lists(st.floats(0, 10), min_size=1, max_size=200),
)
def test_no_window_passes_more_than_the_burst_and_what_flows_in(rate: float, burst: int, gaps: list[float]) -> None:
    buckets, now = Buckets(rate, burst), 1000.0
    passed: list[float] = []
    for gap in gaps:
        now += gap
        grant = buckets.take("a", at=now)
        assert 0 <= grant.remaining < burst
        assert 0 < grant.window <= burst / rate + 1e-6
        if grant.wait == 0:
            passed.append(now)
            continue
        assert buckets.take("a", at=now + grant.wait * 0.9).wait > 0
        now += grant.wait
        assert buckets.take("a", at=now).wait == 0
        passed.append(now)

    for first, began in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - began) * rate + 1e-3
