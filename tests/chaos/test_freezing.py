"""What is frozen and wakes again, in one stack: the second test goes on with the market that the first has loaded."""

import signal

import pytest

from chaos.conftest import REGIONS, LocalStack
from support.freeport import eventually

THE_FORGE, _ = REGIONS

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


def test_the_api_accepts_while_the_broker_hangs_and_the_command_is_carried_out_afterwards(
    stack: LocalStack,
) -> None:
    eventually(stack.everything_ended, what="the market is loaded")
    broker = stack.process_of_broker()
    broker.send_signal(signal.SIGSTOP)

    run = stack.accept(THE_FORGE)
    broker.send_signal(signal.SIGCONT)

    assert run is not None
    ended = eventually(lambda: stack.get(run)["finished_at"] and stack.get(run), what="the run ends")
    assert ended["state"] == "succeeded"
