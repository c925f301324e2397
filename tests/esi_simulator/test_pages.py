"""The pages of a list, each cached by itself: how a sweep shears."""

from collections.abc import Callable, Iterable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from support.simulated_esi import Answer, SimulatorInProcess

FORGE = 10000002
LIST = f"/contracts/public/{FORGE}"


async def page(esi: SimulatorInProcess, number: int) -> Answer:
    return await esi.get(f"{LIST}?page={number}")


async def sweep(esi: SimulatorInProcess) -> list[Answer]:
    first = await page(esi, 1)
    return [first, *[await page(esi, number) for number in range(2, int(first.headers["x-pages"]) + 1)]]


def ids(answers: Iterable[Answer]) -> list[int]:
    return [row["contract_id"] for answer in answers for row in answer.content]


def modified(answer: Answer) -> float:
    return parsedate_to_datetime(answer.headers["last-modified"]).timestamp()


async def test_a_sweep_is_the_market_at_the_instant_its_pages_carry(small: SimulatorInProcess) -> None:
    pages = await sweep(small)

    assert len(pages) == 5
    assert ids(pages) == (await small.truth(FORGE, at="2026-11-01T12:00:00Z"))["live"]


async def test_a_page_is_the_market_as_of_its_own_making(small: SimulatorInProcess) -> None:
    """ESI caches pages one by one; a removal moves rows to the page before, so a live one is on neither."""
    before = await sweep(small)
    await small.control("vanish", contract_ids=ids(before)[:1])
    await small.control("shear", region_id=FORGE, pages=[1])
    await small.control("clock", advance=60)
    after = await sweep(small)

    assert modified(after[0]) - modified(after[1]) == 60
    assert after[1].body == before[1].body
    assert set(ids(after[:1])) & set(ids(after[1:2])), "the page was made anew, and has the first row of the next one"


async def test_a_removal_between_two_pages_hides_a_live_contract(small: SimulatorInProcess) -> None:
    before = await sweep(small)
    await small.control("freeze", frozen=True)
    await small.control("vanish", contract_ids=ids(before)[:1])
    await small.control("shear", region_id=FORGE, pages=[2])
    after = await sweep(small)

    hidden = ids(before)[10]
    assert hidden in (await small.truth(FORGE, at="2026-11-01T12:00:00Z"))["live"]
    assert hidden not in ids(after)
    assert len({modified(answer) for answer in after}) == 1, "not even the instants tell"


async def test_pages_can_be_made_to_straddle_every_expiry(small: SimulatorInProcess) -> None:
    await small.control("shear", region_id=FORGE, step=60)
    await small.control("clock", advance=90)

    made = [modified(answer) for answer in await sweep(small)]
    await small.control("clock", advance=1800)
    again = [modified(answer) for answer in await sweep(small)]

    assert [instant - made[0] for instant in made[:4]] == [0, 0, -90, -90]
    assert again[0] - made[0] == 1800
    assert again[2] - made[2] == 1890


async def test_pages_share_their_phase_again_once_trouble_is_over(small: SimulatorInProcess) -> None:
    await small.control("shear", region_id=FORGE, step=60)
    await small.control("faults", clear=True)
    await small.control("clock", advance=1800)

    assert len({modified(answer) for answer in await sweep(small)}) == 1


async def test_the_last_page_vanishes_between_the_first_and_itself(small: SimulatorInProcess) -> None:
    before = await sweep(small)
    await small.control("vanish", contract_ids=ids(before[4:]) + ids(before[:1]))
    await small.control("shear", region_id=FORGE, pages=[5])
    first, last = await page(small, 1), await page(small, 5)

    assert first.headers["x-pages"] == "5"
    assert (last.status, last.content) == (404, {"error": "Requested page does not exist!"})


async def test_a_page_past_the_end_may_be_the_older_paths_500(small: SimulatorInProcess) -> None:
    await small.control("lists", past_end=500)
    answer = await page(small, 99)

    message = "Undefined 404 response. Original message: Requested page does not exist!"
    assert (answer.status, answer.content) == (500, {"error": message})


async def test_an_old_generation_may_be_served_past_its_expiry(small: SimulatorInProcess) -> None:
    before = await page(small, 1)
    await small.control("lists", late=30)
    await small.control("clock", advance=1815)
    late = await page(small, 1)
    await small.control("clock", advance=15)

    assert modified(late) == modified(before)
    assert parsedate_to_datetime(late.headers["expires"]) < parsedate_to_datetime(late.headers["date"])
    assert modified(await page(small, 1)) == modified(before) + 1830


async def test_an_expired_contract_lingers_to_the_end_of_its_generation(small: SimulatorInProcess) -> None:
    auction = (await small.control("list", region_id=FORGE, type="auction"))["contract_ids"][0]
    await small.control("clock", advance=14 * 86_400 - 60)
    await sweep(small)
    await small.control("clock", advance=61)
    truth = await small.truth(FORGE)
    await small.control("clock", advance=1800)

    assert auction in [row["contract_id"] for row in truth["listed"]]
    assert auction not in truth["live"]
    assert auction not in ids(await sweep(small))


async def test_an_unchanged_page_keeps_its_etag(small: SimulatorInProcess) -> None:
    await small.control("freeze", frozen=True)
    before = await sweep(small)
    await small.control("clock", advance=1800)
    after = [
        await small.get(f"{LIST}?page={number}", {"If-None-Match": answer.headers["etag"]})
        for number, answer in enumerate(before, start=1)
        if '"auction"' not in answer.body.decode()
    ]

    assert after
    assert {answer.status for answer in after} == {304}
    assert {modified(answer) for answer in after} == {modified(before[0]) + 1800}


@pytest.mark.parametrize(("body", "told"), [(None, None), ("many", "many"), ("0", "0")])
async def test_the_number_of_pages_may_be_missing_or_garbled(
    small: SimulatorInProcess, body: str | None, told: str | None
) -> None:
    plain = await page(small, 1)
    await small.control("faults", route="contracts", kind="pages", body=body)
    odd = await page(small, 1)

    assert odd.headers.get("x-pages") == told
    assert odd.body == plain.body


async def test_a_page_may_be_empty_for_once(small: SimulatorInProcess) -> None:
    await small.control("faults", route="contracts", kind="empty", contains="page=2")
    odd = await page(small, 2)

    assert (odd.status, odd.content, odd.headers["x-pages"]) == (200, [], "5")
    assert len((await page(small, 2)).content) == 10


async def test_slashes_in_titles_come_escaped(simulated: Callable[..., SimulatorInProcess]) -> None:
    esi = simulated(esi_sim_recorded=True, esi_sim_page_size=1000)
    answer = await esi.get("/contracts/public/10000043")
    titles = [row["title"] for row in answer.content]

    assert any("/" in title for title in titles)
    assert answer.body.count(b"\\/") == answer.body.count(b"/") == "".join(titles).count("/")


async def test_auctions_are_issued_at_midnight_and_end_whole_hours_after_their_page_was_made(
    small: SimulatorInProcess,
) -> None:
    auction = (await small.control("list", region_id=FORGE, type="auction"))["contract_ids"][0]
    ends, shown = {}, {}
    for advance in (0, 1801, 7 * 86_400, 6 * 86_400 + 3600 * 20):
        await small.control("clock", advance=advance)
        found = await row_of(small, auction)
        shown[advance] = found["shown"]
        ends[advance] = found["left"]

    assert {value % 3600 for value in ends.values()} == {0}
    assert ends[0] == 14 * 86_400
    assert ends[1801] == 13 * 86_400
    assert shown[0] != shown[1801], "the end drifts with every generation"
    assert ends[6 * 86_400 + 3600 * 20] == 3 * 3600


async def test_the_drift_of_auctions_can_be_switched_off(simulated: Callable[..., SimulatorInProcess]) -> None:
    esi = simulated(esi_sim_auction_drift=False)
    auction = (await esi.control("list", region_id=FORGE, type="auction"))["contract_ids"][0]
    before = await row_of(esi, auction)
    await esi.control("clock", advance=1801)

    assert (await row_of(esi, auction))["shown"] == before["shown"]


async def row_of(esi: SimulatorInProcess, contract_id: int) -> dict[str, Any]:
    """How an auction is shown: its end, and the seconds from its page's making to that."""
    found = [(row, answer) for answer in await sweep(esi) for row in answer.content]
    row, answer = next((row, answer) for row, answer in found if row["contract_id"] == contract_id)
    assert row["date_issued"].endswith("T00:00:00Z")
    return {"shown": row["date_expired"], "left": parsed(row["date_expired"]) - modified(answer)}


def parsed(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()
