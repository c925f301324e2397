"""What becomes of an items route, and of what contracts hold."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from support.simulated_esi import SimulatorInProcess

FORGE = 10000002
ITEMS = "/contracts/public/items"
ENDS: dict[str, tuple[int, Any]] = {
    "accepted": (403, "Contract accepted by player, requires authorization"),
    "not_public": (403, "Contract not public"),
    "deleted": (404, "Contract not found"),
    "expired": (404, "Contract not found"),
    "empty": (204, None),
}


async def listed(esi: SimulatorInProcess, **wish: Any) -> int:
    return int((await esi.control("list", region_id=FORGE, **wish))["contract_ids"][0])


@pytest.mark.parametrize("outcome", ENDS)
async def test_an_ended_contract_answers_by_its_end(small: SimulatorInProcess, outcome: str) -> None:
    contract_id = await listed(small)
    standing = await small.get(f"{ITEMS}/{contract_id}")
    await small.control("vanish", contract_ids=[contract_id], outcome=outcome)
    gone = await small.get(f"{ITEMS}/{contract_id}")

    status, message = ENDS[outcome]
    assert standing.status == 200
    assert gone.status == status
    assert (gone.content["error"] if gone.body else None) == message
    assert (await small.truth(FORGE, "gone"))["gone"][str(contract_id)] == {
        "outcome": outcome,
        "gone_at": "2026-11-01T12:00:00Z",
    }


async def test_a_204_carries_validators(small: SimulatorInProcess) -> None:
    """esi-issues #1237."""
    contract_id = await listed(small)
    await small.control("vanish", contract_ids=[contract_id], outcome="empty")
    answer = await small.get(f"{ITEMS}/{contract_id}")

    assert {"etag", "expires"} <= answer.headers.keys()


async def test_an_accepted_contract_may_be_served_on_until_its_snapshot_expires(small: SimulatorInProcess) -> None:
    contract_id = await listed(small)
    await small.control("items", lingering=True)
    await small.control("clock", advance=2)
    before = await small.get(f"{ITEMS}/{contract_id}")
    await small.control("vanish", contract_ids=[contract_id], outcome="accepted")
    after = await small.get(f"{ITEMS}/{contract_id}")
    await small.control("clock", advance=3600)
    at_last = await small.get(f"{ITEMS}/{contract_id}")

    assert (after.status, after.body) == (200, before.body)
    assert at_last.status == 403


async def test_ends_can_be_as_mixed_as_esis(small: SimulatorInProcess) -> None:
    ids = (await small.control("list", region_id=FORGE, count=60))["contract_ids"]
    await small.control("vanish", contract_ids=ids, outcome="accepted")
    await small.control("items", mixed_ends=True)
    answers = [await small.get(f"{ITEMS}/{contract_id}") for contract_id in ids]

    bodies = {answer.body for answer in answers}
    assert {answer.status for answer in answers} == {204, 403}
    assert len(bodies) == 3


@pytest.mark.parametrize("status", [404, 403, 204])
async def test_a_new_contract_may_be_unknown_to_its_first_readers(small: SimulatorInProcess, status: int) -> None:
    await small.control("flaky", route="items", reads=2, status=status)
    first, second = await listed(small), await listed(small)

    read = [(await small.get(f"{ITEMS}/{first}")).status for _ in range(3)]
    assert read == [status, status, 200]
    assert (await small.get(f"{ITEMS}/{second}")).status == status, "each address by itself"


async def test_only_a_share_of_the_contracts_may_be_flaky_and_always_the_same(
    simulated: Callable[..., SimulatorInProcess],
) -> None:
    read = []
    for _ in range(2):
        esi = simulated()
        await esi.control("flaky", route="items", share=0.5, seed=3)
        read.append(
            [(await esi.get(f"{ITEMS}/{contract_id}")).status for contract_id in (await esi.truth(FORGE))["live"]]
        )

    assert read[0] == read[1]
    assert 0.2 < read[0].count(404) / len(read[0]) < 0.8


@pytest.mark.parametrize("contract_type", ["courier", "loan"])
async def test_what_has_no_items_answers_204_or_404(small: SimulatorInProcess, contract_type: str) -> None:
    contract_id = await listed(small, type=contract_type)
    usual = await small.get(f"{ITEMS}/{contract_id}")
    await small.control("items", without_items=404)
    other = await small.get(f"{ITEMS}/{contract_id}")

    assert (usual.status, usual.body) == (204, b"")
    assert (other.status, other.content) == (404, {"error": "Contract not found"})


async def test_a_hoard_comes_in_pages(simulated: Callable[..., SimulatorInProcess]) -> None:
    esi = simulated(esi_sim_page_size=1000)
    contract_id = await listed(esi, kind="hoard")
    first, second = [await esi.get(f"{ITEMS}/{contract_id}?page={number}") for number in (1, 2)]

    assert int(first.headers["x-pages"]) in {2, 3}
    assert len(first.content) == 1000
    records = [row["record_id"] for row in first.content + second.content]
    assert records == sorted(set(records))
    assert records[0] > 2**31


async def test_copies_carry_what_makes_them_and_originals_no_flag(small: SimulatorInProcess) -> None:
    copies = (await small.get(f"{ITEMS}/{await listed(small, kind='copies')}")).content
    originals = (await small.get(f"{ITEMS}/{await listed(small, kind='originals')}")).content

    assert all(row["is_blueprint_copy"] and row["runs"] > 0 and "time_efficiency" in row for row in copies)
    assert all("is_blueprint_copy" not in row and "runs" not in row for row in originals)


async def test_what_is_wanted_has_no_item_id(small: SimulatorInProcess) -> None:
    rows = (await small.get(f"{ITEMS}/{await listed(small, kind='wanted')}")).content

    wanted = [row for row in rows if not row["is_included"]]
    assert wanted
    assert all("item_id" not in row for row in wanted)


async def test_an_abyssal_item_is_what_its_mutaplasmid_made_of_it(small: SimulatorInProcess) -> None:
    contract_id = await listed(small, kind="abyssals")
    rolls = (await small.truth(FORGE, "items", "dynamic"))["dynamic"]
    line = (await small.get(f"{ITEMS}/{contract_id}")).content[0]
    path = f"/dogma/dynamic/items/{line['type_id']}/{line['item_id']}"
    answer = await small.get(path)
    await small.control("vanish", contract_ids=[contract_id], outcome="accepted")

    ids = {"type_id": line["type_id"], "item_id": line["item_id"]}
    assert ids | answer.content in rolls
    assert answer.content["dogma_attributes"]
    assert answer.headers["etag"].startswith('W/"')
    assert "11:05:00" in answer.headers["expires"]
    assert (await small.get(path)).body == answer.body, "an item is what it is, whoever has it"


async def test_what_is_not_abyssal_is_a_520(small: SimulatorInProcess) -> None:
    """esi-issues #1510; a record id is not an item's id (#954)."""
    module = (await small.get(f"{ITEMS}/{await listed(small, kind='modules')}")).content[0]
    abyssal = (await small.get(f"{ITEMS}/{await listed(small, kind='abyssals')}")).content[0]

    for type_id, item_id in (
        (module["type_id"], module["item_id"]),
        (abyssal["type_id"], abyssal["record_id"]),
        (abyssal["type_id"], module["item_id"]),
        (abyssal["type_id"], 1),
    ):
        answer = await small.get(f"/dogma/dynamic/items/{type_id}/{item_id}")
        assert (answer.status, answer.content) == (520, {"error": "ItemNotFound"})
    assert answer.headers["x-esi-error-limit-remain"] == "96"


async def test_a_roll_may_be_lost_for_once(small: SimulatorInProcess) -> None:
    """eve-ref #1078: 2.2 % of the rolls, for want of a second request."""
    line = (await small.get(f"{ITEMS}/{await listed(small, kind='abyssals')}")).content[0]
    await small.control("flaky", route="dynamic", status=520)
    path = f"/dogma/dynamic/items/{line['type_id']}/{line['item_id']}"
    first, second = await small.get(path), await small.get(path)

    assert (first.status, first.content) == (520, {"error": "ItemNotFound"})
    assert second.status == 200


async def test_bids_are_those_of_the_cached_instant(simulated: Callable[..., SimulatorInProcess]) -> None:
    esi = simulated(esi_sim_forge_contracts=2000)
    await esi.control("clock", advance=3600)
    bids = (await esi.truth(FORGE, "bids", at="2026-11-01T19:00:00Z"))["bids"]
    placed, auction = min(
        (bid["date_bid"], int(auction))
        for auction, all_bids in bids.items()
        for bid in all_bids
        if bid["date_bid"] > "2026-11-01T14"
    )
    await esi.control("clock", set=placed)
    await esi.control("clock", advance=295 - (esi.simulator.world.clock.now() + auction * 7) % 300)
    seen = []
    for advance in (0, 300):
        await esi.control("clock", advance=advance)
        answer = await esi.get(f"/contracts/public/bids/{auction}")
        made = parsedate_to_datetime(answer.headers["last-modified"]).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert answer.content == (await esi.truth(FORGE, "bids", at=made))["bids"][str(auction)]
        seen.append(placed in [bid["date_bid"] for bid in answer.content])

    assert seen == [False, True]
