from datetime import timedelta

from api.schemas.contract_detail import ContractDetail
from support.market_rows import JITA_STATION, NOW, RIFTER, TRITANIUM, MarketRows
from support.served_api import ServedApi


async def test_a_contract_shows_what_it_offers_and_what_it_asks_for(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, end_location_id=JITA_STATION, days_to_complete=3)
    await rows.item(1, RIFTER, record_id=2, item_id=77, is_blueprint_copy=True, runs=3, material_efficiency=10)
    await rows.item(1, 9_999_999, record_id=1, quantity=2**40)
    await rows.item(1, TRITANIUM, offered=False)

    reply = await api.get("/api/v1/contracts/1")
    contract = ContractDetail.model_validate_json(reply.body, extra="forbid")

    assert set(reply.content) == set(ContractDetail.model_fields)
    assert [(item.type_name, item.quantity) for item in contract.items_offered] == [(None, 2**40), ("Rifter", 1)]
    assert [item.type_name for item in contract.items_requested] == ["Tritanium"]
    assert (contract.live, (contract.end_location_name or "")[:4]) == (True, "Jita")


async def test_an_abyssal_item_shows_its_rolls_and_whether_they_are_known(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1)
    for record_id in (1, 2, 3):
        await rows.item(1, RIFTER, record_id=record_id, item_id=10**12 + record_id)
    await rows.rolls(10**12 + 1, {54: 1.5e4, 20: -61.2}, source_type_id=526, mutator_type_id=47297)
    await rows.rolls(10**12 + 2, {})

    reply = await api.get("/api/v1/contracts/1")
    items = ContractDetail.model_validate_json(reply.body, extra="forbid").items_offered

    assert [None if item.dynamic is None else item.dynamic.model_dump() for item in items] == [
        {
            "state": "stored",
            "source_type_id": 526,
            "mutator_type_id": 47297,
            "attributes": [{"attribute_id": 20, "value": -61.2}, {"attribute_id": 54, "value": 15000.0}],
        },
        {"state": "wanted", "source_type_id": None, "mutator_type_id": None, "attributes": []},
        None,
    ]


async def test_a_contract_is_still_answered_when_it_is_gone(api: ServedApi, rows: MarketRows) -> None:
    await rows.contract(1, delisted_at=NOW, outcome="unknown")
    await rows.contract(2, date_expired=NOW - timedelta(days=1))

    gone, expired = (await api.get("/api/v1/contracts/1")).content, (await api.get("/api/v1/contracts/2")).content

    assert (gone["live"], gone["outcome"]) == (False, "unknown")
    assert (expired["live"], expired["delisted_at"]) == (False, None)


async def test_a_contract_of_which_nothing_but_the_list_is_known_is_answered(api: ServedApi, rows: MarketRows) -> None:
    await rows.bare_contract(1)

    contract = ContractDetail.model_validate_json((await api.get("/api/v1/contracts/1")).body)

    assert (contract.items_offered, contract.contains_ship, contract.items_state) == ([], None, "wanted")


async def test_a_contract_that_was_never_seen_is_not_found(api: ServedApi) -> None:
    reply = await api.get("/api/v1/contracts/123")

    assert reply.status == 404
    assert reply.content["detail"] == "No contract 123 was ever seen"


async def test_an_id_that_no_contract_can_have_is_refused(api: ServedApi) -> None:
    replies = [await api.get(f"/api/v1/contracts/{wrong}") for wrong in (2**63, 10**400, 0, -1, "x", "1.5", "inf")]

    assert [(reply.status, reply.wrong_fields) for reply in replies] == [(422, ["contract_id"])] * 7
