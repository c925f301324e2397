from collections.abc import Iterator
from typing import Final

import pytest

from support.simulated_esi import SimulatedEsi, running_simulator

PINNED: Final = {
    "ESI_SIM_START": "2026-11-01T12:00:00Z",
    "ESI_SIM_CLOCK_SPEED": "0",
    "ESI_SIM_FORGE_CONTRACTS": "1200",
    "ESI_SIM_HUB_CONTRACTS": "150",
}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedEsi]:
    with running_simulator(tmp_path_factory.mktemp("simulator"), **PINNED) as esi:
        yield esi


@pytest.fixture
def esi(running: SimulatedEsi) -> Iterator[SimulatedEsi]:
    """A simulator whose time stands still and is moved by the test; without errors, faults or frost at its start."""
    yield running
    running.control("faults", clear=True)
    running.control("freeze", frozen=False)
    running.control("clock", advance=61)


@pytest.fixture(scope="session")
def untouched_esi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedEsi]:
    """A simulator that nobody moves or harms: always at its start."""
    with running_simulator(tmp_path_factory.mktemp("simulator"), **PINNED) as esi:
        yield esi
