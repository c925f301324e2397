"""What Prometheus reads."""

import asyncio
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.keyring import LIFE_SECONDS
from cli.embedded.postgres import EmbeddedPostgres
from support.databases import Databases, prepared_cluster
from support.market_rows import DOMAIN, NOW, THE_FORGE, MarketRows
from support.served_api import ServedApi, api_settings, served
from support.stand_ins import free_port

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(api: ServedApi, *, shows_key: bool = True) -> Samples:
    """Every sample by its name and labels."""
    reply = await api.get("/metrics", shows_key=shows_key)
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((f"freeport_{name}", frozenset(labels.items())))


async def test_one_scrape_tells_of_regions_upstream_backlogs_runs_and_the_outbox(
    api: ServedApi, rows: MarketRows
) -> None:
    forge = {"region_id": "10000002", "region": "The Forge"}
    await rows.coverage(THE_FORGE)
    await rows.schedule(DOMAIN)
    await rows.contract(1)
    await rows.contract(2, items_state="wanted")
    await rows.run("failed")
    await rows.limit("errors", remaining=97, allowance=100, paused_until=NOW + timedelta(hours=1), reason="420")
    await api.ingest({"dataset": "names"})

    samples = await scraped(api)

    assert of(samples, "database_up") == 1
    assert of(samples, "region_generation_timestamp_seconds", **forge) == (NOW - timedelta(minutes=5)).timestamp()
    assert of(samples, "region_complete", **forge) == 1
    assert of(samples, "region_stale", **forge) == 0
    assert of(samples, "region_live", **forge) == 2
    assert of(samples, "region_items", **forge, state="wanted") == 1
    assert of(samples, "region_stale", region_id="10000043", region="Domain") == 1
    assert of(samples, "region_age_seconds", region_id="10000043", region="Domain") is None
    assert of(samples, "region_next_sweep_timestamp_seconds", region_id="10000043", region="Domain") == NOW.timestamp()
    assert of(samples, "upstream_remaining", limit="errors") == 97
    paused_until = of(samples, "upstream_paused_until_timestamp_seconds", limit="errors")
    assert paused_until == (NOW + timedelta(hours=1)).timestamp()
    assert of(samples, "backlog", of="items") == 1
    assert of(samples, "runs", dataset="contracts", state="failed") == 1
    assert of(samples, "outbox_messages", service="api") == 2


async def test_processes_without_a_port_tell_their_progress_through_the_api(api: ServedApi, rows: MarketRows) -> None:
    consumers = {"freeport.ingest.items.v1": {"partitions": 4, "polled_at_ms": None}}
    await rows.beat("ingestor", upstream={"ok": True, "error": None}, consumers=consumers)
    await rows.beat("scheduler", seconds_ago=60, slots={"decided": 12})

    samples = await scraped(api)

    ingestor, scheduler = ({"service": name, "instance": "a host"} for name in ("ingestor", "scheduler"))
    assert [of(samples, "process_alive", **each) for each in (ingestor, scheduler)] == [1, 0]
    assert of(samples, "process_progress", **scheduler, measure="slots.decided") == 12
    assert of(samples, "process_progress", **ingestor, measure="upstream.ok") == 1
    partitions = "consumers.freeport.ingest.items.v1.partitions"
    assert of(samples, "process_progress", **ingestor, measure=partitions) == 4
    assert sum(value for (name, _), value in samples.items() if name == "process_resident_memory_bytes") > 0


async def test_requests_are_counted_by_route_and_status(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    for path in ("contracts/1", "contracts/1", "contracts/2", "contracts/x", "nothing/here", "nothing/there"):
        await api.get(f"/api/v1/{path}")
    await api.ask("PROPFIND", "/api/v1/regions")

    samples = await scraped(api)

    def count(method: str, route: str, status: str) -> float | None:
        return of(samples, "http_request_duration_seconds_count", method=method, route=route, status=status)

    contract = "/api/v1/contracts/{contract_id}"
    assert [count("GET", contract, status) for status in ("200", "404", "422")] == [2, 1, 1]
    assert count("GET", "none", "404") == 2
    assert count("other", "/api/v1/regions", "405") == 1


async def test_without_a_key_they_tell_of_the_market_and_nothing_of_hosts_processes_and_requests(
    api: ServedApi, rows: MarketRows
) -> None:
    await rows.coverage(THE_FORGE)
    await rows.run("failed")
    await rows.beat("ingestor", upstream={"ok": True, "error": None})
    await api.get("/api/v1/regions")

    samples = await scraped(api, shows_key=False)

    named = {name for name, _ in samples}
    assert {"freeport_database_up", "freeport_region_live", "freeport_runs", "freeport_outbox_messages"} <= named
    assert [name for name in named if not name.startswith("freeport_")] == []
    assert [name for name in named if "process" in name or "http" in name] == []
    assert [labels for _, labels in samples if "a host" in dict(labels).values()] == []


async def test_metrics_are_told_while_the_database_is_away(stranded: ServedApi) -> None:
    samples = await scraped(stranded)

    assert of(samples, "database_up") == 0
    assert {name for name, _ in samples} == {"freeport_database_up"}


@pytest.fixture
def own_server(tmp_path: Path, of_all_workers: Path) -> Iterator[EmbeddedPostgres]:
    """A server to stop."""
    files = shutil.copytree(prepared_cluster(of_all_workers), tmp_path / "postgres")
    with EmbeddedPostgres(files, free_port(), durable=False) as server:
        yield server


async def test_who_was_an_operator_still_sees_all_while_the_database_is_away(own_server: EmbeddedPostgres) -> None:
    async with served(api_settings(Databases(own_server.url).named("settled"))) as api:
        await scraped(api)
        own_server.stop()
        await api.get("/api/v1/regions")
        await asyncio.sleep(LIFE_SECONDS)
        samples = await scraped(api)
        hooks = await api.get("/api/v1/system/hooks", shows_key=True)

    assert of(samples, "database_up") == 0
    unavailable = {"method": "GET", "route": "/api/v1/regions", "status": "503"}
    assert of(samples, "http_request_duration_seconds_count", **unavailable) == 1
    assert hooks.status == 503
