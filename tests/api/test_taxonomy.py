from datetime import timedelta

from api.schemas.taxonomy import Taxonomy
from common.tables.contracts import CATEGORY_FACET, GROUP_FACET
from support.market_rows import DOMAIN, MERLIN, NOW, RIFTER, THE_FORGE, TRITANIUM, MarketRows
from support.served_api import ServedApi

FRIGATE, MINERAL, SHIP, MATERIAL = 25, 18, 6, 4
OF_RIFTER = [RIFTER, GROUP_FACET + FRIGATE, CATEGORY_FACET + SHIP]
OF_MERLIN = [MERLIN, GROUP_FACET + FRIGATE, CATEGORY_FACET + SHIP]
OF_TRITANIUM = [TRITANIUM, GROUP_FACET + MINERAL, CATEGORY_FACET + MATERIAL]


async def taxonomy(api: ServedApi) -> Taxonomy:
    reply = await api.get("/api/v1/contracts/taxonomy")
    assert reply.status == 200, reply.body
    return Taxonomy.model_validate_json(reply.body, extra="forbid")


async def test_the_taxonomy_is_not_taken_for_a_contract(api: ServedApi) -> None:
    read = await taxonomy(api)

    assert (read.categories, read.complete, read.as_of) == ([], True, None)


async def test_categories_and_groups_count_live_contracts_and_the_types_they_offer(
    api: ServedApi, rows: MarketRows
) -> None:
    await rows.coverage(THE_FORGE)
    await rows.coverage(DOMAIN, swept_at=NOW - timedelta(hours=1))
    await rows.contract(1, facets=OF_RIFTER)
    await rows.contract(2, facets=sorted({*OF_RIFTER, *OF_MERLIN, *OF_TRITANIUM}))
    await rows.contract(3, facets=OF_TRITANIUM, delisted_at=NOW)
    await rows.contract(4, facets=OF_TRITANIUM, date_expired=NOW - timedelta(seconds=1))

    read = await taxonomy(api)

    assert [
        (
            category.name,
            category.live,
            category.types,
            [(group.name, group.live, group.types) for group in category.groups],
        )
        for category in read.categories
    ] == [("Material", 1, 1, [("Mineral", 1, 1)]), ("Ship", 2, 2, [("Frigate", 2, 2)])]
    assert read.as_of == NOW - timedelta(hours=1)


async def test_it_says_of_how_many_contracts_nobody_knows_yet_what_they_offer(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, facets=OF_RIFTER)
    complete = await taxonomy(api)
    await rows.contract(2, items_state="wanted")
    await rows.contract(3, items_state="failed")
    await rows.contract(4, items_state="wanted", delisted_at=NOW)
    await rows.contract(5, items_state="failed", date_expired=NOW - timedelta(seconds=1))
    await rows.contract(6, type="courier", items_state="none")

    read = await taxonomy(api)

    assert (complete.complete, complete.pending, complete.unknown) == (True, 0, 0)
    assert (read.complete, read.pending, read.unknown) == (False, 1, 1)
