"""The tables: one module per subject. Each has one writing service, named in the module's docstring."""

from common.tables.access import api_key_uses, api_keys
from common.tables.base import metadata
from common.tables.contents import bids, contract_changes, contract_items, contract_words
from common.tables.contracts import contracts
from common.tables.counts import listed_count_changes, listed_count_horizon, listed_counts
from common.tables.dynamic_items import dynamic_item_attributes, dynamic_items
from common.tables.messaging import broker_epochs, dead_letters, heartbeats, inbox, outbox
from common.tables.prices import price_sources, price_statistics, prices, rolled_up_days
from common.tables.runs import COUNTS, RUN_STATES, TERMINAL_STATES, idempotency_keys, ingest_requests, runs
from common.tables.schedules import (
    FATES,
    schedule_answers,
    schedule_ranges,
    schedule_requests,
    schedule_slots,
    schedule_versions,
    schedules,
)
from common.tables.sweeps import coverage, sweeps
from common.tables.timers import timers
from common.tables.universe import (
    categories,
    groups,
    names,
    regions,
    stargates,
    stations,
    systems,
    types,
    universe_versions,
    words,
)
from common.tables.upstream import upstream_limits, upstream_responses

__all__ = [
    "COUNTS",
    "FATES",
    "RUN_STATES",
    "TERMINAL_STATES",
    "api_key_uses",
    "api_keys",
    "bids",
    "broker_epochs",
    "categories",
    "contract_changes",
    "contract_items",
    "contract_words",
    "contracts",
    "coverage",
    "dead_letters",
    "dynamic_item_attributes",
    "dynamic_items",
    "groups",
    "heartbeats",
    "idempotency_keys",
    "inbox",
    "ingest_requests",
    "listed_count_changes",
    "listed_count_horizon",
    "listed_counts",
    "metadata",
    "names",
    "outbox",
    "price_sources",
    "price_statistics",
    "prices",
    "regions",
    "rolled_up_days",
    "runs",
    "schedule_answers",
    "schedule_ranges",
    "schedule_requests",
    "schedule_slots",
    "schedule_versions",
    "schedules",
    "stargates",
    "stations",
    "sweeps",
    "systems",
    "timers",
    "types",
    "universe_versions",
    "upstream_limits",
    "upstream_responses",
    "words",
]
