"""Who writes which table, and who may read it: what documents are held to, and PostgreSQL too (`common.roles`)."""

from collections.abc import Iterable, Mapping

SERVICES = ("api", "ingestor", "scheduler")

EACH_ITS_OWN = "each service its own rows"
"""Row-level security tells which rows those are: see the revision `row_level_security`."""
OPERATORS = "operators"
PROVISION = "provision"

WRITERS: Mapping[str, str] = {
    "ingest_requests": "api",
    "api_keys": OPERATORS,
    "api_key_uses": "api",
    "idempotency_keys": "api",
    "runs": "ingestor",
    "contracts": "ingestor",
    "contract_items": "ingestor",
    "contract_changes": "ingestor",
    "bids": "ingestor",
    "dynamic_items": "ingestor",
    "dynamic_item_attributes": "ingestor",
    "prices": "ingestor",
    "price_sources": "ingestor",
    "sweeps": "ingestor",
    "coverage": "ingestor",
    "listed_counts": "ingestor",
    "listed_count_changes": "ingestor",
    "listed_count_horizon": "ingestor",
    "upstream_responses": "ingestor",
    "upstream_limits": "ingestor",
    "price_statistics": "ingestor",
    "rolled_up_days": "ingestor",
    "names": "ingestor",
    "categories": "ingestor",
    "groups": "ingestor",
    "types": "ingestor",
    "regions": "ingestor",
    "systems": "ingestor",
    "stargates": "ingestor",
    "stations": "ingestor",
    "words": "ingestor",
    "contract_words": "ingestor",
    "universe_versions": "ingestor",
    "schedules": "scheduler",
    "schedule_slots": "scheduler",
    "schedule_ranges": "scheduler",
    "schedule_versions": "scheduler",
    "schedule_requests": "api",
    "schedule_answers": "scheduler",
    "timers": "ingestor",
    "outbox": EACH_ITS_OWN,
    "inbox": EACH_ITS_OWN,
    "dead_letters": EACH_ITS_OWN,
    "heartbeats": EACH_ITS_OWN,
    "broker_epochs": PROVISION,
}
"""The one that writes each table: a service, or whoever has the owner's rights."""

TAKERS: Mapping[str, str] = {"timers": "scheduler"}
"""Who takes out the rows of a queue that another service fills."""

READERS: Mapping[str, Iterable[str]] = {
    "api_keys": ("api",),
    "api_key_uses": ("api",),
    "idempotency_keys": ("api",),
}
"""Who may read what is not for every service. The rest is the public market, and how far the services are."""

MIGRATED_TO = "alembic_version"
"""Alembic's own table, by which services know the schema's revision."""


def role(service: str) -> str:
    """The PostgreSQL role that a service connects as. The policies of row-level security know it by this name."""
    return f"freeport_{service}"


def rights(service: str) -> set[tuple[str, str]]:
    """All that `service` may do, as pairs of a table and a privilege."""
    read = {table for table in (*WRITERS, MIGRATED_TO) if service in READERS.get(table, SERVICES)}
    written = {table for table, writer in WRITERS.items() if writer in {service, EACH_ITS_OWN}}
    taken = {table for table, taker in TAKERS.items() if taker == service}
    writing = {(table, privilege) for table in written for privilege in ("INSERT", "UPDATE", "DELETE")}
    taking = {(table, privilege) for table in taken for privilege in ("UPDATE", "DELETE")}  # locking takes UPDATE
    return {(table, "SELECT") for table in read} | writing | taking
