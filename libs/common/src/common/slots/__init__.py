"""When slots come: pure arithmetic that whoever fires, previews or audits them shares."""

from common.slots.audit import Audit, Finding, Findings, Seen
from common.slots.costs import Cost, Known, asks_upstream
from common.slots.cron import Cron, CronError
from common.slots.definition import Catchup, Definition, Kind, Overlap, faults, slots_of, upstream_of
from common.slots.emission import EVENTS, Action, Emission, EmissionError, Meant, event_id, event_of, meant_by
from common.slots.feasibility import (
    MARKET_ORDER,
    Balance,
    Budget,
    Demand,
    Share,
    balances,
    densest,
)
from common.slots.folding import Folded, Old, Range, fold, proof
from common.slots.governing import Governed, span_of, spans
from common.slots.interval import EPOCH, Interval, first_now
from common.slots.jitter import delay
from common.slots.load import Load, Overdraft
from common.slots.once import Once
from common.slots.slots import Slots
from common.slots.upstream import Upstream, latest

__all__ = [
    "EPOCH",
    "EVENTS",
    "MARKET_ORDER",
    "Action",
    "Audit",
    "Balance",
    "Budget",
    "Catchup",
    "Cost",
    "Cron",
    "CronError",
    "Definition",
    "Demand",
    "Emission",
    "EmissionError",
    "Finding",
    "Findings",
    "Folded",
    "Governed",
    "Interval",
    "Kind",
    "Known",
    "Load",
    "Meant",
    "Old",
    "Once",
    "Overdraft",
    "Overlap",
    "Range",
    "Seen",
    "Share",
    "Slots",
    "Upstream",
    "asks_upstream",
    "balances",
    "delay",
    "densest",
    "event_id",
    "event_of",
    "faults",
    "first_now",
    "fold",
    "latest",
    "meant_by",
    "proof",
    "slots_of",
    "span_of",
    "spans",
    "upstream_of",
]
