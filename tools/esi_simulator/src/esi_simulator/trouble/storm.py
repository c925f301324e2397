"""Trouble by luck: each request may meet something, and a seed decides which one meets what."""

import math
from dataclasses import dataclass, field
from typing import Any, Final

from esi_simulator.exchange import Request
from esi_simulator.limits.error_window import ALLOWANCE
from esi_simulator.limits.gates import Gates
from esi_simulator.lists import Lists
from esi_simulator.market.chance import dice, one_of
from esi_simulator.trouble.faults import Fault, fault

USUAL: Final = (
    "shear",
    "420",
    "429",
    "500",
    "502",
    "503",
    "504",
    "520",
    "stall",
    "truncate",
    "lying_304",
    "past_end",
    "downtime",
)
"""What a storm is made of when nobody says otherwise."""
KINDS: Final = frozenset({*USUAL, "empty", "pages", "404"})
_OF_LISTS: Final = frozenset({"shear", "empty", "pages"})
_OF_LATER_PAGES: Final = frozenset({"past_end"})


@dataclass
class Weather:
    """What was ordered: `rate` of the requests meet one of `kinds`; lengths in seconds."""

    seed: int
    rate: float
    kinds: tuple[str, ...] = USUAL
    stall: float = 5.0
    downtime: float = 5.0
    pause: int = 2
    met: int = 0
    paused: dict[str, float] = field(default_factory=dict)


class Storm:
    """The n-th request since the storm began meets the same for the same seed."""

    def __init__(self, gates: Gates, lists: Lists) -> None:
        self._gates = gates
        self._lists = lists
        self._weather: Weather | None = None

    def begin(self, wish: dict[str, Any]) -> None:
        """Take the weather as a test writes it; raises `ValueError` for a kind that there is not."""
        kinds = tuple(str(kind) for kind in wish.get("kinds", USUAL))
        if not set(kinds) <= KINDS:
            raise ValueError(f"kinds are of {sorted(KINDS)}")
        self._weather = Weather(
            seed=int(wish["seed"]),
            rate=float(wish.get("rate", 0.2)),
            kinds=kinds,
            stall=float(wish.get("stall", 5)),
            downtime=float(wish.get("downtime", 5)),
            pause=int(wish.get("pause", 2)),
        )

    def end(self) -> None:
        """Calm; an error limit that the storm used up stays used up until its window ends."""
        self._weather = None

    @property
    def raging(self) -> bool:
        return self._weather is not None

    def meet(self, route: str, request: Request) -> Fault | None:
        """What this request meets; a change to limits, downtime or caches is made before its answer."""
        weather = self._weather
        if weather is None:
            return None
        weather.met += 1
        if self._gates.clock.now() < weather.paused.get(route, 0):
            return _paused(weather.paused[route] - self._gates.clock.now())
        rng = dice(weather.seed, weather.met)
        if rng.random() >= weather.rate:
            return None
        fitting = [kind for kind in weather.kinds if _fits(kind, route, request)]
        return self._struck(one_of(rng, fitting), weather, route, request) if fitting else None

    def _struck(self, kind: str, weather: Weather, route: str, request: Request) -> Fault | None:
        now = self._gates.clock.now()
        match kind:
            case "shear":
                self._lists.expire(int(request.parts[-1]), [request.page()])
            case "420":
                self._gates.window.spend(ALLOWANCE, now)
            case "downtime":
                self._gates.downtime.begin(now, weather.downtime)
            case "429":
                weather.paused[route] = now + weather.pause
                return _paused(weather.pause)
            case "520":
                return fault({"kind": "spamming", "seconds": weather.pause})
            case _ if kind.isdecimal():
                return fault({"status": int(kind)})
            case _:
                return fault({"kind": kind, "seconds": weather.stall, "body": "many" if kind == "pages" else None})
        return None


def _paused(seconds: float) -> Fault:
    return fault({"status": 429, "headers": {"Retry-After": math.ceil(seconds)}})


def _fits(kind: str, route: str, request: Request) -> bool:
    if kind in _OF_LATER_PAGES:
        return route == "contracts" and _number(request) > 1
    return kind not in _OF_LISTS or (route == "contracts" and _number(request) > 0)


def _number(request: Request) -> int:
    """The page asked for; 0 for what is no list's page."""
    text = request.parameter("page") or "1"
    return int(text) if text.isdecimal() and request.parts[-1].isdecimal() else 0
