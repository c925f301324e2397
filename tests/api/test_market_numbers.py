"""Stats, regions and types."""

from datetime import timedelta

from api.schemas.stats import Stats
from api.schemas.universe import ItemType, Regions
from support.market_rows import DOMAIN, NOW, RIFTER, THE_FORGE, MarketRows
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
    assert stats.outbox == {"api": 2, "ingestor": 0, "scheduler": 0}
    assert {state: n for state, n in stats.runs.items() if n} == {"queued": 1, "failed": 1}


async def test_stats_of_nothing_are_zeros(api: ServedApi) -> None:
    stats = Stats.model_validate_json((await api.get("/api/v1/data/stats")).body)

    assert (stats.contracts.live, stats.items.stored, stats.regions) == (0, 0, [])
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
