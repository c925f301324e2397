"""The tables: one module per subject. Each has one writing service, named in the module's docstring."""

from common.tables.base import metadata
from common.tables.contracts import contract_items, contracts, coverage, sweeps
from common.tables.messaging import broker_epochs, dead_letters, heartbeats, inbox, outbox
from common.tables.runs import COUNTS, RUN_STATES, TERMINAL_STATES, idempotency_keys, ingest_requests, runs
from common.tables.schedules import FATES, schedule_slots, schedules
from common.tables.universe import categories, groups, names, regions, stations, systems, types, universe_versions

__all__ = [
    "COUNTS",
    "FATES",
    "RUN_STATES",
    "TERMINAL_STATES",
    "broker_epochs",
    "categories",
    "contract_items",
    "contracts",
    "coverage",
    "dead_letters",
    "groups",
    "heartbeats",
    "idempotency_keys",
    "inbox",
    "ingest_requests",
    "metadata",
    "names",
    "outbox",
    "regions",
    "runs",
    "schedule_slots",
    "schedules",
    "stations",
    "sweeps",
    "systems",
    "types",
    "universe_versions",
]
