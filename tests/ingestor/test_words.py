"""By which words a contract is found, from its list, its items and what is learned later."""

import asyncio
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from common.events import Dataset, IngestRequested, ItemsWanted
from common.ids import new_id
from common.words import LONGEST_WORD, issued_on, words_of
from ingestor.esi.models import Name
from ingestor.stores import indexing, names
from support.ingestion import NOON, REGION, Ingestion, contract, ingestion, waits_for_a_lock, whole_list
from support.scripted_esi import Asked, answer, listed, scripted_esi

LATER = NOON.replace(hour=13)
PLACE = "4 assembly caldari forge iv jita moon navy plant the"


async def lexemes(ingestor: Ingestion, contract_id: int = 1) -> str:
    """What the contract is found by besides its day, in one order."""
    found: str = await ingestor.value(
        "SELECT array_to_string(tsvector_to_array(words), ' ') FROM contract_words WHERE contract_id = :id",
        id=contract_id,
    )
    return " ".join(sorted(word for word in found.split() if not word.startswith("@")))


def holds(*type_ids: int) -> Callable[[Asked], bytes]:
    """Upstream where every contract holds one piece of each type."""
    items = [{"record_id": n, "type_id": one, "quantity": 1, "is_included": True} for n, one in enumerate(type_ids, 1)]

    def script(asked: Asked) -> bytes:
        known = asked.target.startswith("/contracts/public/items/")
        return answer(items) if known else answer({"error": "not found"}, status=404)

    return script


@given(st.text())
def test_words_are_the_same_when_they_are_split_again(text: str) -> None:
    words = words_of(text)

    assert [again for word in words for again in words_of(word)] == words
    assert all(0 < len(word) <= LONGEST_WORD and not set(word) & set(" '\\_=#@:*&|!<>()\x00") for word in words)


def test_words_are_without_capitals_accents_and_apostrophes() -> None:
    assert words_of("Kaikka's Ça-VA 50% off_now ﬁt ДЁШЕВО Straße") == [
        *("kaikkas", "ca", "va", "50", "off", "now", "fit", "дешево", "strasse")
    ]
    assert words_of("便宜な船 x2") == ["便", "宜", "な", "船", "x2"]


async def test_a_new_contract_is_found_by_title_place_and_issuer(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1, title="Cheap DRAKE!"), contract(2, title=None, start_location_id=1)))

    assert await lexemes(offline) == " ".join(sorted(f"=cheap =drake {PLACE}".split()))
    assert await lexemes(offline, 2) == "forge the"
    assert await offline.value("SELECT is_named FROM words WHERE word = 'cheap'") is False


async def test_it_is_found_by_the_day_on_which_it_was_issued(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1, date_issued=NOON.replace(hour=23, minute=59))))

    day = issued_on(NOON.date())
    assert await offline.value("SELECT :day = ANY(tsvector_to_array(words)) FROM contract_words", day=day) is True


async def name(ingestor: Ingestion) -> None:
    """Learn who issued the first contract."""
    async with ingestor.engine.begin() as connection:
        await names.learn(connection, [Name(90_000_001, "Chribba", "c"), Name(98_000_001, "Otherworld Ltd", "c")])


async def test_it_is_found_by_its_issuers_whenever_their_names_are_learned(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1)))
    await name(offline)
    first = await lexemes(offline)
    await name(offline)
    await offline.merge(whole_list(contract(1), contract(1001), contract(2), at=LATER))

    assert first == " ".join(sorted(f"chribba otherworld ltd {PLACE}".split()))
    assert [await lexemes(offline, number) for number in (1, 1001)] == [first, first]
    assert await lexemes(offline, 2) == " ".join(sorted(f"otherworld ltd {PLACE}".split()))


async def test_a_name_that_is_learned_while_a_contract_is_stored_is_not_missed(offline: Ingestion) -> None:
    await offline.merge(whole_list(contract(1)))
    async with offline.engine.begin() as connection:
        await names.learn(connection, [Name(90_000_001, "Chribba", "c")])
        merging = asyncio.create_task(offline.merge(whole_list(contract(1), contract(1001), at=LATER)))
        await waits_for_a_lock(offline)
    await merging

    assert "chribba" in (await lexemes(offline, 1001)).split()


async def test_a_courier_contract_is_found_by_where_it_is_carried_to(offline: Ingestion) -> None:
    there = {"start_location_id": 1_035_466_617_946, "end_location_id": 60008494}
    await offline.merge(whole_list(contract(1, type="courier", **there), contract(2, **there)))

    assert {"amarr", "domain", "emperor"} <= set((await lexemes(offline)).split())
    assert "amarr" not in await lexemes(offline, 2)


async def test_its_items_add_their_names_once_and_what_it_is_about(engine: AsyncEngine) -> None:
    async with scripted_esi(holds(34, 587, 35)) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.merge(whole_list(contract(1, title="sale")))

        await ingestor.deliver(ItemsWanted(region_id=REGION, contract_ids=(1,)))
        before = await ingestor.value("SELECT xmin::text FROM contract_words")
        await ingestor.deliver(IngestRequested(dataset=Dataset.ITEMS, run_id=new_id()))

        offered = f"=sale =rifter #rifter tritanium pyerite {PLACE}"
        assert await lexemes(ingestor) == " ".join(sorted(offered.split()))
        assert await ingestor.value("SELECT xmin::text FROM contract_words") == before


async def test_a_new_title_takes_the_place_of_the_old_one(engine: AsyncEngine) -> None:
    async with scripted_esi(holds(587)) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.merge(whole_list(contract(1, title="first")))
        await ingestor.deliver(ItemsWanted(region_id=REGION, contract_ids=(1,)))

        await ingestor.merge(whole_list(contract(1, title="second"), at=LATER))

        assert await lexemes(ingestor) == " ".join(sorted(f"=second =rifter #rifter {PLACE}".split()))


async def test_what_an_older_release_has_stored_is_indexed_alike_and_once(engine: AsyncEngine) -> None:
    async with scripted_esi(holds(34, 587)) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.merge(whole_list(contract(1, title="first"), contract(2, type="courier")))
        await ingestor.deliver(ItemsWanted(region_id=REGION, contract_ids=(1,)))
        await name(ingestor)
        known = [await lexemes(ingestor, number) for number in (1, 2)]
        words = await ingestor.rows("SELECT * FROM words ORDER BY word")
        await ingestor.execute("DELETE FROM contract_words")
        await ingestor.execute("DELETE FROM words")

        await indexing.catch_up(engine)
        await indexing.catch_up(engine)

        assert [await lexemes(ingestor, number) for number in (1, 2)] == known
        assert await ingestor.rows("SELECT * FROM words ORDER BY word") == words


async def test_a_station_that_is_learned_later_adds_its_name(engine: AsyncEngine) -> None:
    def script(asked: Asked) -> bytes:
        if asked.target == "/universe/regions":
            return listed([REGION])
        if asked.target == "/universe/stations/60008494":
            return answer({"station_id": 60008494, "name": "Somewhere New", "system_id": 30002187})
        return answer({"error": "not found"}, status=404)

    async with scripted_esi(script) as esi, ingestion(engine, esi.url) as ingestor:
        await ingestor.execute("DELETE FROM stations WHERE station_id = 60008494")
        await ingestor.merge(whole_list(contract(1, start_location_id=60008494)))

        await ingestor.deliver(IngestRequested(dataset=Dataset.UNIVERSE, run_id=new_id()))

        assert {"somewhere", "new", "amarr"} <= set((await lexemes(ingestor)).split())
        assert await ingestor.value("SELECT is_named FROM words WHERE word = 'somewhere'")
