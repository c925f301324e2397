import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from api.readiness import Observation, judge
from api.schemas.health import Health
from common import schema
from support.databases import Databases
from support.market_rows import MarketRows
from support.served_api import ServedApi, api_settings, served

SINCE = "2026-01-01T00:00:00Z"


def alive(service: str, **progress: Any) -> dict[str, Any]:
    return {"service": service, "alive": True, "progress": progress}


WELL = Observation(
    schema_wanted="0002",
    schema="0002",
    universe_loaded=True,
    services=[alive("ingestor", upstream={"ok": True, "error": None, "since": SINCE}), alive("scheduler")],
    regions=[{"region_id": 1}],
)
DOWN = {"ok": False, "error": "503 from ESI", "since": SINCE}
UNASKED = {"ok": None, "error": None, "since": SINCE}


def differing(**fields: Any) -> Observation:
    return Observation(**{**{name: getattr(WELL, name) for name in WELL.__slots__}, **fields})


@pytest.mark.parametrize(
    ("seen", "missing", "degraded"),
    [
        (WELL, [], []),
        (differing(schema="0003"), [], []),
        (differing(database_error="cannot be reached"), ["database"], []),
        (differing(schema=None), ["database schema"], []),
        (differing(schema="0001"), ["database schema"], []),
        (differing(universe_loaded=False), ["universe"], []),
        (differing(services=[alive("scheduler")]), ["ingestor"], []),
        (differing(services=[{**alive("ingestor"), "alive": False}, alive("scheduler")]), ["ingestor"], []),
        (differing(services=[alive("ingestor")]), [], ["scheduler"]),
        (differing(regions=[]), [], ["market"]),
        (differing(services=[alive("ingestor", upstream=DOWN), alive("scheduler")]), [], ["upstream"]),
        (
            differing(services=[alive("ingestor", upstream=DOWN), alive("scheduler")], regions=[]),
            ["upstream"],
            ["market"],
        ),
        (differing(services=[alive("ingestor", upstream=DOWN), *WELL.services]), [], []),
        (differing(services=[alive("ingestor", upstream=UNASKED), alive("scheduler")]), [], []),
        (
            differing(services=[alive("ingestor", upstream=UNASKED), alive("scheduler")], regions=[]),
            ["upstream"],
            ["market"],
        ),
    ],
)
def test_what_makes_answers_untrue_is_missing_and_the_rest_degrades(
    seen: Observation, missing: list[str], degraded: list[str]
) -> None:
    verdict = judge(seen)

    assert [each.partition(":")[0] for each in verdict.missing] == missing
    assert [each.partition(":")[0] for each in verdict.degraded] == degraded


async def test_liveness_looks_at_nothing(stranded: ServedApi) -> None:
    get, head = await stranded.get("/health"), await stranded.ask("HEAD", "/health")

    assert (get.status, get.content) == (200, {"status": "ok"})
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", get.headers["Content-Length"])


async def test_readiness_names_an_unreachable_database(stranded: ServedApi) -> None:
    reply = await stranded.get("/health/ready")

    assert reply.status == 503
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.content["missing"] == ["database: cannot be reached"]
    assert reply.headers["Retry-After"]


async def test_neither_readiness_nor_metrics_hang_with_the_database(silent: int) -> None:
    async with served(api_settings(f"postgresql://freeport@127.0.0.1:{silent}/freeport")) as api:
        ready, metrics = await asyncio.gather(api.get("/health/ready"), api.get("/metrics"))

    assert ready.content["missing"] == ["database: no answer within 2 s"]
    assert b"freeport_database_up 0.0" in metrics.body.splitlines()


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    with databases.fresh("template0") as url:
        yield url


async def test_readiness_says_that_the_schema_is_missing(empty_database: str) -> None:
    async with served(api_settings(empty_database)) as api:
        ready, stats = await api.get("/health/ready"), await api.get("/api/v1/data/stats")

    assert ready.content["missing"] == [f"database schema: is at nothing, wants {schema.head()}"]
    assert (stats.status, stats.content["detail"]) == (503, "The database has not been prepared yet")


async def test_readiness_follows_the_services(api: ServedApi, rows: MarketRows) -> None:
    await rows.beat("ingestor", seconds_ago=60)
    before = await api.get("/health/ready")

    await rows.execute("DELETE FROM heartbeats")
    await rows.beat("ingestor", upstream={"ok": True, "error": None, "since": SINCE})
    await rows.beat("scheduler")
    loading = await api.get("/health/ready")
    await rows.coverage()
    after = await api.get("/health/ready")

    assert (before.status, before.content["missing"]) == (503, ["ingestor: none is alive"])
    assert (loading.status, loading.content["degraded"]) == (200, ["market: no region has been read yet"])
    assert (after.status, after.content) == (200, {"status": "ready", "degraded": []})


async def test_the_detailed_report_holds_everything_that_is_known(api: ServedApi, rows: MarketRows) -> None:
    await rows.beat("ingestor", upstream=DOWN)
    await rows.coverage()
    await api.ingest({"dataset": "names"})

    health = Health.model_validate_json((await api.get("/health/detailed", shows_key=True)).body, extra="forbid")

    assert (health.status, health.degraded[1]) == ("degraded", "upstream: 503 from ESI")
    assert (health.database.ok, health.database.schema_revision) == (True, schema.head())
    assert (health.outbox, health.relay.sent) == ({"api": 2}, 0)
    assert [(each.service, each.alive) for each in health.services] == [("ingestor", True)]
    assert health.upstream is not None
    assert (health.upstream.ok, [region.name for region in health.regions]) == (False, ["The Forge"])


async def test_the_detailed_report_tells_strangers_nothing_of_hosts_and_of_what_processes_say(
    api: ServedApi, rows: MarketRows
) -> None:
    await rows.beat("ingestor", upstream=DOWN)

    health = Health.model_validate_json((await api.get("/health/detailed")).body, extra="forbid")

    (ingestor,) = health.services
    assert (ingestor.service, ingestor.alive) == ("ingestor", True)
    assert (ingestor.instance, ingestor.started_at, ingestor.progress) == (None, None, None)


async def test_the_detailed_report_is_given_without_a_database_too(stranded: ServedApi) -> None:
    reply = await stranded.get("/health/detailed")

    assert reply.content["missing"] == ["database: cannot be reached"]
    assert (reply.status, reply.content["status"]) == (200, "unready")
