from end_to_end.conftest import World
from support.freeport import eventually, same_market

DOMAIN = 10000043
THE_FORGE = 10000002


def test_the_market_is_served_as_upstream_has_it_and_every_count_adds_up(shared: World) -> None:
    for region_id in (THE_FORGE, DOMAIN):
        same_market(shared.freeport, shared.esi.truth(region_id), region_id)
    for run in shared.freeport.get("/api/v1/data/runs", dataset="contracts")["items"]:
        counts = run["counts"]
        parts = ("listed", "changed", "unchanged", "rejected")
        assert counts["fetched"] == sum(counts[part] for part in parts)
        assert counts["items_wanted"] == counts["items_done"] + counts["items_failed"]
    assert shared.freeport.value("SELECT count(*) FROM dead_letters") == 0


def test_a_slot_is_followed_to_the_run_it_caused(shared: World) -> None:
    slot = shared.freeport.rows(
        "SELECT * FROM schedule_slots WHERE schedule_id = 'contracts:10000043' ORDER BY slot_at"
    )[0]

    run = shared.freeport.get(f"/api/v1/data/runs/{slot['run_id']}")

    assert run["source"] == "schedule"
    assert run["state"] == "succeeded"
    assert run["schedule_id"] == "contracts:10000043"


def test_what_vanishes_upstream_is_delisted_and_its_detail_stays(shared: World) -> None:
    gone = [row["contract_id"] for row in shared.esi.truth(THE_FORGE)["listed"]][:3]

    shared.esi.control("vanish", contract_ids=gone)
    shared.esi.control("clock", advance=10)

    def all_gone() -> bool:
        return not {row["contract_id"] for row in shared.freeport.contracts(region_id=THE_FORGE)} & set(gone)

    eventually(all_gone, what="the vanished contracts leave the list")
    for contract_id in gone:
        detail = shared.freeport.get(f"/api/v1/contracts/{contract_id}")
        assert detail["delisted_at"] is not None
        assert detail["items_offered"] or detail["items_requested"]


def test_services_stop_cleanly_and_the_market_survives_their_restart(own: World) -> None:
    own.load()

    own.freeport.stop("api", "ingestor", "scheduler")

    own.freeport.start("ingestor", "scheduler", "api")

    eventually(own.freeport.ready, what="the api is ready again")
    same_market(own.freeport, own.esi.truth(DOMAIN), DOMAIN)


def test_an_ingestor_stopped_in_the_middle_of_its_work_ends_cleanly_and_sets_nothing_aside(own: World) -> None:
    own.esi.control("faults", route="items", status=200, delay=0.5, count=100_000)
    own.freeport.start("ingestor", "scheduler")
    eventually(lambda: own.freeport.value("SELECT count(*) FROM contracts") > 0, what="contracts are stored")

    own.freeport.stop("ingestor")

    assert "handler failed" not in own.freeport.log("ingestor")
    assert own.freeport.value("SELECT count(*) FROM dead_letters") == 0
