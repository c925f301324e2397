import signal

import psutil
import pytest

from chaos.conftest import REGIONS, LocalStack
from conftest import APACHE_KAFKA
from support.freeport import eventually

THE_FORGE, _ = REGIONS

pytestmark = pytest.mark.timeout(480)


def test_the_api_accepts_while_the_broker_hangs_and_the_command_is_carried_out_afterwards(
    stack: LocalStack, request: pytest.FixtureRequest
) -> None:
    eventually(stack.everything_ended, what="the market is loaded")
    pid = request.getfixturevalue("broker").pid if APACHE_KAFKA else stack.awaited("broker").pid
    psutil.Process(pid).send_signal(signal.SIGSTOP)

    run = stack.accept(THE_FORGE)
    psutil.Process(pid).send_signal(signal.SIGCONT)

    assert run is not None
    ended = eventually(lambda: stack.get(run)["finished_at"] and stack.get(run), what="the run ends")
    assert ended["state"] == "succeeded"
