"""Stats, regions and types."""

from datetime import UTC, datetime, timedelta

from api.queries.stats import STALE_SECONDS
from api.schemas.stats import EXAMPLE, Stats
from api.schemas.universe import ItemType, Regions
from support.market_rows import DOMAIN, HEIMATAR, NOW, RIFTER, THE_FORGE, MarketRows
from support.served_api import ServedApi


async def test_stats_count_the_market_and_the_machinery(api: ServedApi, rows: MarketRows) -> None:
    await rows.coverage(THE_FORGE)
    await rows.schedule(DOMAIN)
    await rows.contract(1)
    await rows.contract(2, type="auction", items_state="wanted")
    await rows.contract(3, delisted_at=NOW, items_state="failed")
    await rows.contract(4, date_expired=NOW - timedelta(days=1), items_state="none")
    await rows.run("failed")
    await api.ingest({"dataset": "names"})

    reply = await api.get("/api/v1/data/stats")
    stats = Stats.model_validate_json(reply.body, extra="forbid")

    assert stats.contracts.model_dump() == {"live": 2, "gone": 2, "by_type": {"auction": 1, "item_exchange": 1}}
    assert stats.items.model_dump() == {"stored": 1, "wanted": 1, "failed": 1}
    assert [(each.name, each.live, each.as_of, each.complete) for each in stats.regions] == [
        ("The Forge", 2, NOW, True),
        ("Domain", 0, None, False),
    ]
    assert [(each.listed, each.items.model_dump(), each.stale) for each in stats.regions] == [
        (3, {"stored": 1, "wanted": 1, "failed": 1}, False),
        (0, {"stored": 0, "wanted": 0, "failed": 0}, True),
    ]
    assert stats.outbox == {"api": 2, "ingestor": 0, "scheduler": 0}
    assert {state: n for state, n in stats.runs.items() if n} == {"queued": 1, "failed": 1}


async def test_stats_tell_how_fresh_a_region_is_what_its_last_sweep_brought_and_when_the_next_is_due(
    api: ServedApi, rows: MarketRows
) -> None:
    passed = NOW - timedelta(seconds=STALE_SECONDS + 60)
    await rows.coverage(THE_FORGE)
    await rows.coverage(DOMAIN, fresh_until=passed)
    await rows.coverage(HEIMATAR, fresh_until=datetime.now(UTC) - timedelta(seconds=30), complete=False)
    await rows.schedule(DOMAIN)
    await rows.schedule(HEIMATAR)
    await rows.execute("UPDATE schedules SET paused = true WHERE schedule_id = 'contracts:10000030'")
    for minutes, listed in ((65, 7), (5, 2), (35, 9)):
        await rows.sweep(DOMAIN, generation=NOW - timedelta(minutes=minutes), listed=listed)

    content = (await api.get("/api/v1/data/stats")).body
    regions = {each.name: each for each in Stats.model_validate_json(content, extra="forbid").regions}

    forge, domain, heimatar = regions["The Forge"], regions["Domain"], regions["Heimatar"]
    assert [each.stale for each in (forge, domain, heimatar)] == [False, True, False]
    assert [each.next_sweep_at for each in (forge, domain, heimatar)] == [None, NOW, None]
    assert (forge.complete, heimatar.complete) == (True, False)
    assert forge.age_seconds is not None
    assert 300 <= forge.age_seconds < 900
    assert forge.last_sweep is None
    assert domain.last_sweep is not None
    assert (domain.last_sweep.listed, domain.last_sweep.fetched) == (2, 10)


async def test_stats_tell_what_upstream_still_grants_why_it_is_paused_and_what_waits(
    api: ServedApi, rows: MarketRows
) -> None:
    soon, past = NOW + timedelta(minutes=9), NOW - timedelta(seconds=9)
    await rows.limit("errors", remaining=3, allowance=100, resets_at=soon, paused_until=soon, reason="420")
    await rows.limit("market-order", remaining=11, allowance=12_000, resets_at=past, paused_until=past, reason="429")
    await rows.contract(1, items_state="wanted", bids_due_at=past)
    await rows.contract(2, delisted_at=NOW, outcome_due_at=soon, bids_due_at=soon)
    await rows.execute("INSERT INTO dynamic_items (item_id, type_id) VALUES (1, 47740)")
    await rows.execute("INSERT INTO names (entity_id, due_at) VALUES (7, now())")

    stats = Stats.model_validate_json((await api.get("/api/v1/data/stats")).body, extra="forbid")

    assert (stats.upstream.paused_until, stats.upstream.reason) == (soon, "420")
    errors, orders = stats.upstream.limits
    assert (errors.name, errors.remaining, errors.paused_until, errors.reason) == ("errors", 3, soon, "420")
    assert (orders.name, orders.remaining, orders.paused_until, orders.reason) == ("market-order", 12_000, None, None)
    assert stats.backlogs.model_dump() == {"items": 1, "bids": 1, "outcomes": 1, "dynamic_items": 1, "names": 1}


def test_the_example_in_the_document_is_what_stats_are_like() -> None:
    assert Stats.model_validate(EXAMPLE, extra="forbid").model_dump(mode="json").keys() == EXAMPLE.keys()


async def test_stats_of_nothing_are_zeros(api: ServedApi) -> None:
    stats = Stats.model_validate_json((await api.get("/api/v1/data/stats")).body)

    assert (stats.contracts.live, stats.items.stored, stats.regions, stats.upstream.limits) == (0, 0, [], [])
    assert set(stats.backlogs.model_dump().values()) == {0}
    assert set(stats.runs.values()) == {0}


async def test_regions_tell_how_far_they_are_known(api: ServedApi, rows: MarketRows) -> None:
    await rows.coverage(DOMAIN, complete=False)

    regions = Regions.model_validate_json((await api.get("/api/v1/regions")).body, extra="forbid").items

    known = {region.region_id: region for region in regions}
    assert len(known) > 100
    assert known[THE_FORGE].coverage is None
    coverage = known[DOMAIN].coverage
    assert coverage is not None
    assert (known[DOMAIN].name, coverage.complete, coverage.as_of) == ("Domain", False, NOW)


async def test_a_type_is_shown_with_its_group_and_category(api: ServedApi, rows: MarketRows) -> None:
    await rows.execute("DELETE FROM groups WHERE group_id = 18")

    rifter = ItemType.model_validate_json((await api.get(f"/api/v1/types/{RIFTER}")).body, extra="forbid")
    orphan = ItemType.model_validate_json((await api.get("/api/v1/types/34")).body)

    assert (rifter.name, rifter.group.name, rifter.category and rifter.category.name) == ("Rifter", "Frigate", "Ship")
    assert (orphan.name, orphan.group.name, orphan.category) == ("Tritanium", None, None)


async def test_a_type_that_does_not_exist_is_not_found(api: ServedApi) -> None:
    assert (await api.get("/api/v1/types/9999999")).status == 404
    assert (await api.get(f"/api/v1/types/{2**63}")).status == 422
