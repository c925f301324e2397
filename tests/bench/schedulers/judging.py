"""Holding what a scheduler fired to the slots that there were."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

ON_TIME_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Window:
    """Slots are looked at from `beginning` until `ending`, both Unix seconds; each schedule has one every `period`."""

    beginning: float
    ending: float
    period: int

    def slots(self, phase: int, until: float) -> list[int]:
        """The slots of a schedule from the beginning until `until`; they are `phase` behind multiples of the period."""
        first = math.ceil((self.beginning - phase) / self.period) * self.period + phase
        return list(range(first, math.ceil(until), self.period))


@dataclass
class Verdict:
    """How many slots there were, which were served and how late, and how many firings had no slot to serve."""

    expected: int = 0
    doubled: int = 0
    lateness: list[float] = field(default_factory=list)

    @property
    def missed(self) -> int:
        return self.expected - len(self.lateness)

    def add(self, other: "Verdict") -> None:
        self.expected += other.expected
        self.doubled += other.doubled
        self.lateness += other.lateness

    def as_json(self) -> dict[str, Any]:
        ordered = sorted(self.lateness)
        late = sum(each > ON_TIME_SECONDS for each in ordered)
        return {
            "expected": self.expected,
            "on_time": len(ordered) - late,
            "late": late,
            "missed": self.missed,
            "doubled": self.doubled,
            "p50_ms": _milliseconds(ordered, 0.5),
            "p99_ms": _milliseconds(ordered, 0.99),
            "max_ms": _milliseconds(ordered, 1),
        }


def judged(window: Window, phases: Mapping[str, int], firings: Sequence[tuple[str, float]]) -> Verdict:
    """The verdict on all schedules; `phases` says which there are, `firings` when each of them fired."""
    by_schedule: dict[str, list[float]] = {name: [] for name in phases}
    for name, moment in firings:
        by_schedule[name].append(moment)
    whole = Verdict()
    for name, phase in phases.items():
        whole.add(_judged(window, phase, sorted(by_schedule[name])))
    return whole


def _judged(window: Window, phase: int, moments: Sequence[float]) -> Verdict:
    """A firing serves the latest slot that has come and that nothing has served; where there is none it is a double.

    So a slot that was made up for later counts as served, whichever of several the scheduler had in mind.
    """
    moments = [moment for moment in moments if moment >= window.beginning]
    slots = window.slots(phase, max([window.ending, *moments]))
    verdict = Verdict(expected=sum(slot < window.ending for slot in slots))
    unserved: list[int] = []
    coming = iter([*slots, math.inf])
    slot = next(coming)
    for moment in moments:
        while slot <= moment:
            unserved.append(int(slot))
            slot = next(coming)
        if not unserved:
            verdict.doubled += moment < window.ending
        elif (served := unserved.pop()) < window.ending:
            verdict.lateness.append(moment - served)
    return verdict


def _milliseconds(ordered: Sequence[float], share: float) -> int | None:
    if not ordered:
        return None
    return round(1000 * ordered[max(math.ceil(share * len(ordered)) - 1, 0)])
