"""When slots come: pure arithmetic that whoever fires, previews or audits them shares."""

from common.slots.cron import Cron, CronError
from common.slots.definition import Catchup, Definition, Kind, Overlap, faults, slots_of, upstream_of
from common.slots.interval import EPOCH, Interval, first_now
from common.slots.jitter import delay
from common.slots.once import Once
from common.slots.slots import Slots
from common.slots.upstream import Upstream, latest

__all__ = [
    "EPOCH",
    "Catchup",
    "Cron",
    "CronError",
    "Definition",
    "Interval",
    "Kind",
    "Once",
    "Overlap",
    "Slots",
    "Upstream",
    "delay",
    "faults",
    "first_now",
    "latest",
    "slots_of",
    "upstream_of",
]
