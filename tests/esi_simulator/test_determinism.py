from pathlib import Path

from support.simulated_esi import SimulatedEsi, running_simulator

REGIONS = (10000002, 10000043)
SAME = {
    "ESI_SIM_CLOCK_SPEED": "0",
    "ESI_SIM_FORGE_CONTRACTS": "1200",
    "ESI_SIM_HUB_CONTRACTS": "150",
}


def test_same_seed_and_clock_give_the_same_bytes_whatever_was_asked_before(
    untouched_esi: SimulatedEsi, tmp_path: Path
) -> None:
    """The other process starts two hours earlier, is asked all the while, and comes to the same instant in steps."""
    with running_simulator(tmp_path, **SAME, ESI_SIM_START="2026-11-01T10:00:00Z") as twin:
        for region_id in (*REGIONS[::-1], *REGIONS):
            twin.get(f"/contracts/public/{region_id}")
            twin.control("clock", advance=1800)

        for region_id in REGIONS:
            here, there = (esi.get(f"/contracts/public/{region_id}") for esi in (untouched_esi, twin))
            assert (here.body, here.headers["etag"]) == (there.body, there.headers["etag"])
            assert untouched_esi.truth(region_id) == twin.truth(region_id)
