import signal

import pytest

from chaos.conftest import LocalStack
from support.freeport import eventually

pytestmark = pytest.mark.timeout(480)


def test_an_ingestor_that_slept_through_a_takeover_changes_nothing_when_it_wakes(stack: LocalStack) -> None:
    stack.loads_on()
    sleeper = stack.hurt("ingestor", signal.SIGSTOP)

    second = stack._run("ingestor", {**stack.environment, **stack.parts()})
    eventually(stack.everything_ended, seconds=90, what="the other replica loads the market")
    sleeper.send_signal(signal.SIGCONT)

    eventually(stack.everything_ended, what="nothing is open")
    stack.is_as_upstream()
    second.terminate()
    assert second.wait(timeout=60) == 0
