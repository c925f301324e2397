import pytest

from chaos.conftest import REGIONS, LocalStack
from support.freeport import eventually

THE_FORGE, DOMAIN = REGIONS

pytestmark = pytest.mark.timeout(480)


def test_kill_9_of_each_process_while_a_market_loads_loses_and_doubles_nothing(stack: LocalStack) -> None:
    accepted: list[str] = []
    eventually(lambda: stack.accept(DOMAIN), what="the api accepts")

    for victim in ("ingestor", "api", "scheduler", "broker", "postgres", "esi", "ingestor"):
        stack.loads_on()
        accepted += [run for run in [stack.accept(THE_FORGE)] if run]
        stack.kill(victim)

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
