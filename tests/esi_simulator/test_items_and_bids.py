from typing import Any

from support.simulated_esi import SimulatedEsi

FORGE = 10000002
ITEMS = "/contracts/public/items"
BIDS = "/contracts/public/bids"


def listed(esi: SimulatedEsi, kind: str) -> list[dict[str, Any]]:
    """The listed contracts of a kind that still stand."""
    truth = esi.get(f"/_simulator/truth/{FORGE}").content
    return [row for row in truth["listed"] if row["type"] == kind and row["contract_id"] in set(truth["live"])]


def test_items_are_those_of_the_truth(esi: SimulatedEsi) -> None:
    items = esi.truth(FORGE)["items"]

    for row in listed(esi, "item_exchange")[:50]:
        answer = esi.get(f"{ITEMS}/{row['contract_id']}")
        assert answer.content == items[str(row["contract_id"])][:1000]
        assert answer.headers["x-pages"] == str(-(-len(items[str(row["contract_id"])]) // 1000))


def test_more_than_a_page_of_items_comes_in_pages(esi: SimulatedEsi) -> None:
    items = esi.truth(FORGE)["items"]
    standing = {row["contract_id"] for row in listed(esi, "item_exchange")}
    large = next(
        contract_id for contract_id, rows in items.items() if len(rows) > 1000 and int(contract_id) in standing
    )

    first, second = esi.get(f"{ITEMS}/{large}"), esi.get(f"{ITEMS}/{large}?page=2")

    assert len(first.content) == 1000
    assert first.content + second.content == items[large][:2000]
    assert esi.get(f"{ITEMS}/{large}?page=9").content == {"error": "Requested page does not exist!"}


def test_all_shapes_of_items_occur(esi: SimulatedEsi) -> None:
    rows = [row for items in esi.truth(FORGE)["items"].values() for row in items]
    copies = [row for row in rows if "is_blueprint_copy" in row]
    originals = [row for row in rows if "is_blueprint_copy" not in row and "material_efficiency" in row]
    wanted = [row for row in rows if not row["is_included"]]

    assert copies
    assert originals
    assert wanted
    assert all(row["is_blueprint_copy"] is True and row["runs"] >= 1 for row in copies)
    assert all("runs" not in row for row in originals)
    assert all("item_id" not in row for row in wanted)
    assert min(row["record_id"] for row in rows) > 2**31
    assert len({row["record_id"] for row in rows}) == len(rows)


def test_couriers_show_nothing(esi: SimulatedEsi) -> None:
    courier = listed(esi, "courier")[0]
    answer = esi.get(f"{ITEMS}/{courier['contract_id']}")

    assert (answer.status, answer.body) == (204, b"")
    assert "etag" in answer.headers


def test_a_vanished_contract_answers_as_it_ended(esi: SimulatedEsi) -> None:
    sold, withdrawn = (row["contract_id"] for row in listed(esi, "item_exchange")[-2:])
    esi.control("vanish", contract_ids=[sold], outcome="accepted")
    esi.control("vanish", contract_ids=[withdrawn], outcome="deleted")

    gone = [esi.get(f"{ITEMS}/{contract_id}") for contract_id in (sold, withdrawn)]

    assert [(answer.status, answer.content["error"]) for answer in gone] == [
        (403, "Contract accepted by player, requires authorization"),
        (404, "Contract not found"),
    ]


def test_a_vanished_contract_stays_listed_until_the_list_expires(esi: SimulatedEsi) -> None:
    contract_id = listed(esi, "item_exchange")[-1]["contract_id"]
    esi.control("freeze", frozen=True)
    esi.control("vanish", contract_ids=[contract_id])
    before = esi.get(f"/_simulator/truth/{FORGE}").content
    esi.control("clock", advance=1800)
    after = esi.get(f"/_simulator/truth/{FORGE}").content

    assert contract_id in [row["contract_id"] for row in before["listed"]]
    assert contract_id not in before["live"]
    assert contract_id not in [row["contract_id"] for row in after["listed"]]


def test_a_contract_that_never_was_is_not_found(esi: SimulatedEsi) -> None:
    assert esi.get(f"{ITEMS}/1").content == {"error": "Contract not found"}


def test_auctions_get_rising_bids_as_time_goes_on(esi: SimulatedEsi) -> None:
    bids = [esi.get(f"{BIDS}/{row['contract_id']}").content for row in listed(esi, "auction")]

    assert any(len(found) > 1 for found in bids)
    assert all(found == sorted(found, key=lambda bid: bid["amount"]) for found in bids)
    assert all(found == sorted(found, key=lambda bid: bid["date_bid"]) for found in bids)


def test_what_is_no_auction_has_no_bids(esi: SimulatedEsi) -> None:
    exchange = listed(esi, "item_exchange")[0]

    assert esi.get(f"{BIDS}/{exchange['contract_id']}").status == 404


def test_a_frozen_market_lists_the_same_in_every_generation(esi: SimulatedEsi) -> None:
    esi.control("clock", advance=1800)
    esi.control("freeze", frozen=True)
    before = esi.truth(FORGE)
    esi.control("clock", advance=1800)
    after = esi.truth(FORGE)

    assert after["last_modified"] != before["last_modified"]
    assert [lasting(row) for row in after["listed"]] == [lasting(row) for row in before["listed"]]
    assert after["live"] == [row["contract_id"] for row in after["listed"]]


def lasting(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what every page writes anew: an auction's end."""
    return {name: value for name, value in row.items() if name != "date_expired" or row["type"] != "auction"}
