import pytest

from support.simulated_esi import SimulatedEsi

FORGE = 10000002
LIST = f"/contracts/public/{FORGE}"


def test_errors_are_counted_and_a_hundred_of_them_shut_the_door(esi: SimulatedEsi) -> None:
    remains = [int(esi.get("/contracts/public/1").headers["x-esi-error-limit-remain"]) for _ in range(100)]
    limited = esi.get("/status")

    assert remains == list(range(99, -1, -1))
    assert limited.status == 420
    assert "exceeded the error limit" in limited.content["error"]
    assert "x-esi-error-limited" in limited.headers

    esi.control("clock", advance=int(limited.headers["x-esi-error-limit-reset"]))
    assert esi.get(LIST).headers["x-esi-error-limit-remain"] == "100"


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (500, "Internal server error"),
        (502, "The datasource tranquility is temporarily unavailable"),
        (504, "Timeout contacting tranquility"),
        (520, 'ConStopSpamming, details: {"remainingTime": 64226997}'),
    ],
)
def test_a_fault_meets_as_many_requests_as_told(esi: SimulatedEsi, status: int, message: str) -> None:
    esi.control("faults", route="contracts", status=status, count=2)

    other = esi.get("/status")
    met = [esi.get(LIST) for _ in range(3)]

    assert other.status == 200
    assert [answer.status for answer in met] == [status, status, 200]
    assert met[0].content == {"error": message}


def test_a_fault_can_be_for_one_page_with_a_body_and_headers_of_its_own(esi: SimulatedEsi) -> None:
    wish = {"status": 429, "body": "not even JSON", "contains": "page=2", "headers": {"Retry-After": "7"}}
    esi.control("faults", route="*", **wish)

    first, second = esi.get(LIST), esi.get(f"{LIST}?page=2")

    assert first.status == 200
    assert (second.status, second.body, second.headers["retry-after"]) == (429, b"not even JSON", "7")


def test_a_delay_alone_changes_nothing_else(esi: SimulatedEsi) -> None:
    plain = esi.get(LIST)
    esi.control("faults", route="contracts", delay=0.01)

    assert esi.get(LIST).body == plain.body


def test_downtime_answers_503_to_everything(esi: SimulatedEsi) -> None:
    esi.control("faults", down=True)
    down = [esi.get(path) for path in (LIST, "/status", "/universe/regions")]
    esi.control("faults", down=False)

    assert {answer.status for answer in down} == {503}
    assert down[0].content == {"error": "The datasource tranquility is temporarily unavailable"}
    assert esi.get("/status").status == 200


def test_requests_are_counted_by_route_and_status(esi: SimulatedEsi) -> None:
    before = esi.get("/_simulator/stats").content["requests"].get("stations", {})
    esi.get("/universe/stations/60003760")
    esi.get("/universe/stations/1")
    after = esi.get("/_simulator/stats").content["requests"]["stations"]

    assert [after[status] - before.get(status, 0) for status in ("200", "404")] == [1, 1]


@pytest.mark.parametrize(
    ("subject", "wish"),
    [
        ("clock", {"advance": -1}),
        ("vanish", {}),
        ("vanish", {"contract_ids": [1], "outcome": "eaten"}),
        ("vanish", {"contract_ids": [1], "outcome": "standing"}),
        ("nothing", {}),
    ],
)
def test_an_unusable_wish_is_refused(esi: SimulatedEsi, subject: str, wish: dict[str, object]) -> None:
    assert esi.post(f"/_simulator/{subject}", wish).status in {400, 404}
