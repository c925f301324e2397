"""When slots come: pure arithmetic that whoever fires, previews or audits them shares."""

from common.slots.audit import Audit, Finding, Findings, Governed, Seen, spans
from common.slots.cron import Cron, CronError
from common.slots.definition import Catchup, Definition, Kind, Overlap, faults, slots_of, upstream_of
from common.slots.interval import EPOCH, Interval, first_now
from common.slots.jitter import delay
from common.slots.once import Once
from common.slots.slots import Slots
from common.slots.upstream import Upstream, latest

__all__ = [
    "EPOCH",
    "Audit",
    "Catchup",
    "Cron",
    "CronError",
    "Definition",
    "Finding",
    "Findings",
    "Governed",
    "Interval",
    "Kind",
    "Once",
    "Overlap",
    "Seen",
    "Slots",
    "Upstream",
    "delay",
    "faults",
    "first_now",
    "latest",
    "slots_of",
    "spans",
    "upstream_of",
]
