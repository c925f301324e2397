from end_to_end.conftest import World
from support.freeport import eventually


def test_upstream_down_at_the_start_is_told_and_ingestion_begins_when_it_returns(own: World) -> None:
    own.esi.control("faults", down=True)
    own.freeport.environment["RECONCILE_INTERVAL"] = "3600"  # what is put off falls due by its timers
    own.freeport.start("ingestor", "scheduler", "api")

    def told() -> bool:
        try:
            reply = own.freeport.ask("GET", "/health/ready")
        except OSError:
            return False
        return reply.status == 503 and b"upstream" in reply.body

    eventually(told, what="readiness names the upstream")
    own.esi.control("faults", down=False)

    eventually(lambda: own.freeport.loaded(2), what="the market is loaded")
    eventually(own.freeport.ready, what="readiness says so")
