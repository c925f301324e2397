import signal

import psutil
import pytest

from chaos.conftest import REGIONS, LocalStack
from conftest import APACHE_KAFKA, Broker
from support.freeport import eventually

THE_FORGE, DOMAIN = REGIONS

pytestmark = pytest.mark.timeout(240)


def test_kill_9_of_each_process_while_a_market_loads_loses_and_doubles_nothing(
    stack: LocalStack, request: pytest.FixtureRequest
) -> None:
    accepted: list[str] = []
    eventually(lambda: stack.accept(DOMAIN), what="the api accepts")

    for victim in ("ingestor", "api", "scheduler", "broker", "postgres", "esi", "ingestor"):
        _loads_on(stack)
        accepted += [run for run in [stack.accept(THE_FORGE)] if run]
        if victim == "broker" and APACHE_KAFKA:
            broker: Broker = request.getfixturevalue("broker")
            broker.kill()
            broker.start()
        else:
            stack.hurt(victim, signal.SIGKILL)

    eventually(stack.everything_ended, seconds=120, what="everything accepted is done")
    eventually(stack.ready, what="the api is ready")
    assert accepted
    for run in accepted:
        assert stack.get(run)["state"] in {"succeeded", "skipped"}
    stack.is_as_upstream()
    assert stack.value("SELECT count(*) FROM dead_letters") == 0
    assert stack.value("SELECT count(*) FROM runs WHERE items_done + items_failed <> items_wanted") == 0
    assert stack.value("SELECT count(*) FROM contracts WHERE delisted_at IS NOT NULL AND date_expired > now()") == 0
    assert "is back" in stack.said()


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


def test_an_ingestor_that_slept_through_a_takeover_changes_nothing_when_it_wakes(stack: LocalStack) -> None:
    _loads_on(stack)
    sleeper = stack.hurt("ingestor", signal.SIGSTOP)

    second = stack._run("ingestor", {**stack.environment, **stack.parts()})
    eventually(stack.everything_ended, seconds=90, what="the other replica loads the market")
    sleeper.send_signal(signal.SIGCONT)

    eventually(stack.everything_ended, what="nothing is open")
    stack.is_as_upstream()
    second.terminate()
    assert second.wait(timeout=15) == 0


def _loads_on(stack: LocalStack) -> None:
    """Wait until more is stored than before, or all is: the moment to strike."""
    before = stack.stored()
    eventually(lambda: stack.stored() > before or (before and stack.everything_ended()), what="the market loads on")
